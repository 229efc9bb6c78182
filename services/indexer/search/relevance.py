"""Which hits have to do with the query. A search always finds something nearest."""

from collections.abc import Sequence
from typing import Final

from shared.contract.requests import Hit

_LEAST_SIMILARITY: Final = 0.3
"""MiniLM's neighbours below this cosine, without a shared word, were unrelated."""
_BEST: Final = 2
"""What stands next to a weak hit is weaker still."""


def relevant_hits(hits: Sequence[Hit]) -> list[Hit]:
    """In their order."""
    return [hit for hit in hits if hit.words > 0 or hit.similarity >= _LEAST_SIMILARITY]


def best_turns(hits: Sequence[Hit]) -> list[str]:
    """The turns whose neighbours are worth reading, of hits in the order of their score."""
    return [hit.turn_id for hit in hits[:_BEST] if hit.turn_id is not None]
