"""The port of what computes vectors."""

from collections.abc import Sequence
from typing import Protocol

from services.indexer.passages.passage import Vectors

PACKAGED_MODEL = "all-MiniLM-L6-v2"
"""It comes with the installation."""


class TextModel(Protocol):
    """An embedding model in memory. Threads may call it at the same time; each call uses one core."""

    @property
    def dimension(self) -> int: ...

    @property
    def engine(self) -> str:
        """The library that computes, its version and the number format, for logs and people."""
        ...

    def encode(self, texts: list[str]) -> Vectors:
        """Unit vectors, float32, shape (texts, dimension). Python's lock is released while it computes."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> int:
        """As an Embedder says it."""
        ...

    def familiarity(self, text: str) -> float:
        """As an Embedder says it."""
        ...
