"""Joins what meaning found with what words found.

Scores, not ranks, are added: reciprocal-rank fusion was measured to lose to plain BM25 on conversations,
where the sum of min-max normalised scores wins (docs/adr/0003-scores-are-added-not-ranks.md).
"""

from collections.abc import Sequence

import msgspec

Key = str


class Candidate(msgspec.Struct, frozen=True):
    """A turn that one of the two searches found. None: not among that search's best."""

    turn_id: Key
    similarity: float | None
    """Cosine of query and text, -1 to 1."""
    words: float | None
    """BM25, 0 and above."""


class Ranked(msgspec.Struct, frozen=True):
    turn_id: Key
    score: float
    """0 to 1; comparable within one search."""
    similarity: float
    words: float


def fuse(candidates: Sequence[Candidate], limit: int) -> list[Ranked]:
    """The best `limit`, best first. A higher score in either search never ranks a turn lower."""
    meaning = _normalised([c.similarity for c in candidates], floor=None)
    words = _normalised([c.words for c in candidates], floor=0.0)
    ranked = [
        Ranked(c.turn_id, (m + w) / 2, c.similarity or 0.0, c.words or 0.0)
        for c, m, w in zip(candidates, meaning, words, strict=True)
    ]
    return sorted(ranked, key=lambda r: (-r.score, r.turn_id))[:limit]


def _normalised(scores: Sequence[float | None], *, floor: float | None) -> list[float]:
    """Each score's place between the lowest (or `floor`) and the highest; a missing one is at the bottom."""
    present = [score for score in scores if score is not None]
    if not present:
        return [0.0] * len(scores)
    low = min(present) if floor is None else floor
    span = max(present) - low
    if span <= 0:
        return [0.0 if score is None or score <= 0 else 1.0 for score in scores]
    return [0.0 if score is None else (score - low) / span for score in scores]
