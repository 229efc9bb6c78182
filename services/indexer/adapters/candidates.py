"""Four lists of scored points, as either engine gives them, joined into candidates."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import numpy

from services.indexer.domain.ranking import Candidate
from services.indexer.ports import Vectors

TEXT, NEAR = "text", "near"
"""The dense vectors of a point: of the passage, and of the passage with those beside it."""
WORDS, WORDS_NEAR = "words", "words_near"
"""The BM25 weights of the same two."""
LISTS = ("meaning", "meaning_near", "words", "words_near")
"""What the scores of the four are called in a candidate, in the order in which they are asked."""

PARTS_A_MESSAGE = 4
"""Asked for on average; more only where very many of what was found are very long."""


class Point(Protocol):
    @property
    def payload(self) -> Mapping[str, Any] | None: ...


def payloads_of(points: Iterable[Point]) -> dict[str, Mapping[str, Any]]:
    """By the message that they are of; all its parts have the same."""
    payloads: dict[str, Mapping[str, Any]] = {}
    for point in points:
        payload = point.payload or {}
        payloads.setdefault(str(payload["message"]), payload)
    return payloads


def candidates_of(
    kind: str, found: Mapping[str, Mapping[str, Any]], lists: Iterable[Iterable[tuple[str, float]]]
) -> list[Candidate]:
    """One candidate a message, from lists of (message, score); of several parts each list's best counts."""
    scores: dict[str, dict[str, float]] = {key: {} for key in found}
    for name, scored in zip(LISTS, lists, strict=True):
        for message, score in scored:
            own = scores[message]
            own[name] = max(score, own.get(name, score))
    return [_candidate(kind, key, payload, scores[key]) for key, payload in found.items()]


def dense_of(vectors: object) -> Vectors:
    """The passage's own, of a point's named vectors."""
    named: dict[str, Any] = vectors if isinstance(vectors, dict) else {}
    return numpy.asarray(named[TEXT], numpy.float32)


def _candidate(kind: str, key: str, payload: Mapping[str, Any], scores: Mapping[str, float]) -> Candidate:
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
    )
