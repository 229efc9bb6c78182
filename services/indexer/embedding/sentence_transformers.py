"""Any model that sentence-transformers can load."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from services.indexer.embedding.familiarity import familiarity_of
from services.indexer.embedding.model import PACKAGED_MODEL
from services.indexer.embedding.packaged import packaged_folder
from services.indexer.passages.passage import Vectors
from shared.process.environment import SettingsError


class SentenceTransformerModel:
    """TextModel over sentence-transformers and torch."""

    def __init__(self, model: Any, engine: str) -> None:
        self.dimension: int = model.get_embedding_dimension()
        self.engine = engine
        self._model = model

    @classmethod
    def load(cls, name: str, *, dtype: str) -> "SentenceTransformerModel":
        """Raises SettingsError where there is no such model."""
        path = str(packaged_folder()) if name == PACKAGED_MODEL else name
        if Path(path).exists():
            os.environ["HF_HUB_OFFLINE"] = "1"  # A folder needs no hub. The library reads this at its import.
        # Imported here: torch takes seconds and hundreds of megabytes, and only this class needs it.
        import sentence_transformers
        import torch

        chosen = _dtype(torch, dtype)
        try:
            model = sentence_transformers.SentenceTransformer(
                path, device="cpu", model_kwargs={"dtype": getattr(torch, chosen)}
            )
            # The first call sets the tokenizer up, which must not happen in two threads at once.
            model.encode("ready", show_progress_bar=False)
        except (OSError, ValueError) as error:
            first_line = str(error).splitlines()[0]
            raise SettingsError(
                f"EMBEDDING_MODEL={name!r}: no such sentence-transformers model here ({first_line}). "
                f"Give the folder of one, or leave the setting out for {PACKAGED_MODEL}."
            ) from error
        return cls(model, f"sentence-transformers {sentence_transformers.__version__}, {chosen}")

    def encode(self, texts: list[str]) -> Vectors:
        import torch

        torch.set_num_threads(1)  # OpenMP has such a number for each thread that calls it.
        vectors = self._model.encode(
            texts,
            batch_size=len(texts),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return numpy.asarray(vectors, dtype=numpy.float32)

    def count_tokens(self, texts: Sequence[str]) -> int:
        return sum(len(ids) for ids in self._model.tokenizer(list(texts))["input_ids"]) if texts else 0

    def familiarity(self, text: str) -> float:
        """1 where the model has no tokenizer of the library `tokenizers`."""
        tokenizer = getattr(self._model.tokenizer, "backend_tokenizer", None)
        return 1.0 if tokenizer is None else familiarity_of(text, tokenizer)


def _dtype(torch: Any, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    # Without bfloat16 arithmetic in the processor it is emulated, seven times slower than float32.
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if fast else "float32"
