"""python -m bench.index.engines: the packaged model on CTranslate2 and on torch, one core each, in turn.

Prints texts a second of processor time with 1, 8 and 32 texts a call, and the cosine of both vectors of a
text. Pin it to one core (`taskset -c 1`): torch prepares its threads even where it uses one.
"""

import tempfile
from contextlib import chdir
from itertools import islice
from time import process_time

import numpy

from bench.running.figures import aligned
from bench.running.sentences import sentences
from services.indexer.app.embedding import load_model
from services.indexer.embedding.model import PACKAGED_MODEL, TextModel
from services.indexer.settings import IndexerSettings
from shared.process.settings import load

SIZES = (1, 8, 32)
_ROUNDS = 5
_TEXTS = 128


def measure() -> str:
    settings = load(IndexerSettings)
    on_torch = settings.model_copy(update={"embedding_dtype": "float32"})
    models = [load_model(one, PACKAGED_MODEL, threads=1) for one in (on_torch, settings)]
    texts = sorted(islice(sentences(seed=5), _TEXTS), key=len)
    reference, *_ = vectors = [_encoded(model, texts, 8) for model in models]
    best = {(model.engine, size): 0.0 for model in models for size in SIZES}
    for _ in range(_ROUNDS):
        for size in SIZES:
            for model in models:
                start = process_time()
                _encoded(model, texts, size)
                best[model.engine, size] = max(
                    best[model.engine, size], len(texts) / (process_time() - start)
                )
    rows = [("texts/s of one core", *(f"{size} a call" for size in SIZES), "cosine: mean", "worst")]
    for model, own in zip(models, vectors, strict=True):
        cosines = (own * reference).sum(axis=1)
        speeds = [f"{best[model.engine, size]:.0f}" for size in SIZES]
        rows.append((model.engine, *speeds, f"{cosines.mean():.4f}", f"{cosines.min():.4f}"))
    return aligned(rows)


def _encoded(model: TextModel, texts: list[str], size: int) -> numpy.typing.NDArray[numpy.float32]:
    parts = [model.encode(texts[begin : begin + size]) for begin in range(0, len(texts), size)]
    return numpy.concatenate(parts)


def main() -> None:
    # Away from the checkout: its `.env` is not for the bench.
    with tempfile.TemporaryDirectory(prefix="pandora-bench-") as folder, chdir(folder):
        print(measure())


if __name__ == "__main__":
    main()
