"""The port of an embedding model."""

from collections.abc import Sequence
from typing import Protocol

from services.indexer.passages.passage import Vectors


class Embedder(Protocol):
    """Turns text into unit vectors of `dimension` float32 numbers."""

    @property
    def dimension(self) -> int: ...

    @property
    def engine(self) -> str:
        """What computes: the library, its version and the number format."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimension); for texts to be stored, many at a time."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """Shape (dimension,). It goes before all stored texts that wait."""
        ...

    def familiarity(self, text: str) -> float:
        """How well the model knows the words of the text: from 0, where it reads letters alone, to 1."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Of all texts together, as the model reads them. It takes some milliseconds a page."""
        ...

    def forget_queries(self) -> None:
        """Empties the cache of recent queries."""
        ...
