"""The packaged model on CTranslate2: several times faster than torch, in a tenth of its memory."""

import os
from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import msgspec
import numpy
from tokenizers import Tokenizer

from services.indexer.embedding.familiarity import familiarity_of
from services.indexer.embedding.model import TextModel
from services.indexer.passages.passage import Vectors

FASTEST = "fastest.json"


class Fastest(msgspec.Struct, frozen=True):
    """The number format that was the fastest on this processor, and how fast each one was."""

    compute_type: str
    texts_per_second: dict[str, int]


class CTranslate2Model(TextModel):
    """TextModel over a folder that `conversion` has written."""

    def __init__(self, folder: Path, compute_type: str, *, threads: int) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # A call is one core; more calls run side by side.
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._encoder = ctranslate2.Encoder(
            str(folder), device="cpu", compute_type=compute_type, inter_threads=threads, intra_threads=1
        )
        self._engine = f"CTranslate2 {ctranslate2.__version__}, {compute_type}"
        self._dimension = int(self.encode(["ready"]).shape[1])

    @classmethod
    def load(cls, folder: Path, *, threads: int) -> "CTranslate2Model":
        """In the number format that was measured to be the fastest."""
        fastest = msgspec.json.decode((folder / FASTEST).read_bytes(), type=Fastest)
        return cls(folder, fastest.compute_type, threads=threads)

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def engine(self) -> str:
        return self._engine

    def encode(self, texts: list[str]) -> Vectors:
        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        hidden = numpy.asarray(self._encoder.forward_batch(pieces).last_hidden_state)
        return _unit_means(hidden, [len(ids) for ids in pieces])

    def count_tokens(self, texts: Sequence[str]) -> int:
        return sum(len(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(list(texts)))

    def familiarity(self, text: str) -> float:
        return familiarity_of(text, self._tokenizer)


def _unit_means(hidden: Vectors, lengths: Sequence[int]) -> Vectors:
    """The mean of each text's word pieces, shape (texts, dimension). What lies after `lengths` is padding."""
    means = numpy.stack([own[:length].mean(axis=0) for own, length in zip(hidden, lengths, strict=True)])
    unit: Vectors = means / numpy.linalg.norm(means, axis=1, keepdims=True)
    return unit
