"""Vectors of texts, by the model that memory is searched with. The indexer answers. Nothing is stored."""

from typing import Annotated, ClassVar, Final

import msgspec

from shared.contract.requests.request import Request

MOST_TEXTS: Final = 32
"""So that the vectors of any model fit into one message."""
MOST_CHARACTERS: Final = 64 * 1024
"""Of all texts together. JSON may need six bytes for each."""


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    """EMBEDDING_MODEL of the indexer."""
    dimension: int
    """Numbers of each vector."""
    vectors: list[bytes]
    """Of each text, in order: little-endian float32 numbers, of length 1 together."""
    tokens: int
    """Those that the model read."""


class Embed(Request[Embedded], frozen=True, kw_only=True):
    """anyone -> indexer: what are the vectors of these texts?

    A text that is too long for the model is read in parts that overlap. Its vector is the mean of theirs.
    """

    subject: ClassVar[str] = "index.embed"

    model: str
    """EMBEDDING_MODEL. Another name is refused with 404, so that vectors of two models are never mixed."""
    texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_TEXTS)]
    """None of them empty; at most 65,536 characters together."""
