"""Four lists of scored points, as either engine gives them, joined into candidates."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import numpy

from services.indexer.domain.ranking import Candidate
from services.indexer.ports import Vectors

P = TypeVar("P")
"""A point's id, as an engine has it."""
TEXT, NEAR = "text", "near"
"""The dense vectors of a point: of the passage, and of the passage with those beside it."""
WORDS, WORDS_NEAR = "words", "words_near"
"""The BM25 weights of the same two."""
LISTS = ("meaning", "meaning_near", "words", "words_near")
"""What the scores of the four are called in a candidate, in the order in which they are asked."""


def without_score(points: Mapping[P, object], lists: Iterable[Mapping[P, float]]) -> list[set[P]]:
    """Of each list the points that only others found: what is among the best of one has its place in all."""
    return [points.keys() - scored.keys() for scored in lists]


def candidates_of(
    kind: str, payloads: Mapping[P, Mapping[str, Any]], lists: Iterable[Mapping[P, float]]
) -> list[Candidate]:
    """One candidate a message, from each list's scores by point; of several parts each list's best counts."""
    lists = list(lists)
    of_message: dict[str, Mapping[str, Any]] = {}
    for payload in payloads.values():  # But for their number, all parts of a message have the same.
        of_message.setdefault(str(payload["message"]), payload)
    scores: dict[str, dict[str, float]] = {key: {} for key in of_message}
    for name, scored in zip(LISTS, lists, strict=True):
        for point, score in scored.items():
            own = scores[str(payloads[point]["message"])]
            own[name] = max(score, own.get(name, score))
    parts = _best_parts(payloads, lists) if len(payloads) > len(of_message) else {}
    return [
        _candidate(kind, key, payload, scores[key], parts.get(key, int(payload.get("part", 0))))
        for key, payload in of_message.items()
    ]


def _best_parts(
    payloads: Mapping[P, Mapping[str, Any]], lists: Sequence[Mapping[P, float]]
) -> dict[str, int]:
    """Of each message the part that does best alone, by meaning and by words."""
    meaning, _, words, _ = lists
    most = max(words.values(), default=0.0) or 1.0
    best: dict[str, tuple[float, int]] = {}
    for point, payload in payloads.items():
        one = (meaning.get(point, 0.0) + words.get(point, 0.0) / most, -int(payload.get("part", 0)))
        key = str(payload["message"])
        best[key] = max(one, best.get(key, one))
    return {key: -part for key, (_, part) in best.items()}


def dense_of(vectors: object) -> Vectors:
    """The passage's own, of a point's named vectors."""
    named: dict[str, Any] = vectors if isinstance(vectors, dict) else {}
    return numpy.asarray(named[TEXT], numpy.float32)


def _candidate(
    kind: str, key: str, payload: Mapping[str, Any], scores: Mapping[str, float], part: int
) -> Candidate:
    return Candidate(
        key=key,
        kind=kind,
        session_id=str(payload["session_id"]),
        ordinal=int(payload["ordinal"]),
        speaker=str(payload["speaker"]),
        role=payload["role"],
        at=datetime.fromisoformat(str(payload["timestamp"])),
        asks=bool(payload["asks"]),
        length=int(payload["length"]),
        tells_time=bool(payload["tells_time"]),
        uses=int(payload["uses"]),
        meaning=scores.get("meaning"),
        meaning_near=scores.get("meaning_near"),
        words=scores.get("words"),
        words_near=scores.get("words_near"),
        part=part,
    )
