"""Joins the four lists of scored points, which either engine gives, into candidates."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any, TypeVar
from uuid import UUID

import numpy
from msgspec.structs import replace

from services.indexer.passages.index import Candidate
from services.indexer.passages.passage import Vectors
from shared.contract.requests import Kind

P = TypeVar("P")
"""A point's id in the form of an engine."""
TEXT, NEAR = "text", "near"
"""The dense vectors of a point: of the passage, and of the passage with its neighbours."""
WORDS, WORDS_NEAR = "words", "words_near"
"""The BM25 weights of the same two."""
LISTS = ("meaning", "meaning_near", "words", "words_near")
"""The names of the four scores in a candidate, in the order in which the lists are asked for."""
READ = (
    *("message", "part", "session_id", "ordinal", "speaker", "role", "timestamp"),
    *("asks", "tells_time", "length", "uses"),
)
"""The fields of a payload that a candidate has."""


def without_score(points: Mapping[P, object], lists: Iterable[Mapping[P, float]]) -> list[set[P]]:
    """Of each list the points that only other lists have. Every candidate gets its score from all four."""
    return [points.keys() - scored.keys() for scored in lists]


def unscored(kind: Kind, payload: Mapping[str, Any]) -> Candidate:
    """The candidate of one point, without scores."""
    return Candidate(
        key=str(payload["message"]),
        kind=kind,
        session_id=intern(str(payload["session_id"])),
        ordinal=int(payload["ordinal"]),
        speaker=intern(str(payload["speaker"])),
        role=payload["role"],
        at=datetime.fromisoformat(str(payload["timestamp"])),
        asks=bool(payload["asks"]),
        length=int(payload["length"]),
        tells_time=bool(payload["tells_time"]),
        uses=int(payload["uses"]),
        meaning=None,
        meaning_near=None,
        words=None,
        words_near=None,
        part=int(payload.get("part", 0)),
    )


def candidates_of(points: Mapping[P, Candidate], lists: Sequence[Mapping[P, float]]) -> list[Candidate]:
    """One candidate a message, from each list's scores by point. Of several parts each list's best counts."""
    meaning, meaning_near, words, words_near = lists
    scored = [
        replace(
            point,
            meaning=meaning.get(id_),
            meaning_near=meaning_near.get(id_),
            words=words.get(id_),
            words_near=words_near.get(id_),
        )
        for id_, point in points.items()
    ]
    of_message: dict[str, list[Candidate]] = {}
    for one in scored:
        of_message.setdefault(one.key, []).append(one)
    most = max(words.values(), default=0.0) or 1.0
    return [parts[0] if len(parts) == 1 else _joined(parts, most) for parts in of_message.values()]


def _joined(parts: Sequence[Candidate], most_words: float) -> Candidate:
    """The part that is best without neighbours, with the best score of each list."""

    def alone(part: Candidate) -> tuple[float, int]:
        return (part.meaning or 0.0) + (part.words or 0.0) / most_words, -part.part

    return replace(
        max(parts, key=alone),
        **{
            name: max((score for part in parts if (score := getattr(part, name)) is not None), default=None)
            for name in LISTS
        },
    )


def by_count(uses: Mapping[UUID, int]) -> dict[int, list[UUID]]:
    """The messages that have been used so often: an engine takes them together."""
    messages: dict[int, list[UUID]] = {}
    for message, count in uses.items():
        messages.setdefault(count, []).append(message)
    return messages


def dense_of(vectors: object) -> Vectors:
    """The vector of the passage alone, from the named vectors of a point."""
    named: dict[str, Any] = vectors if isinstance(vectors, dict) else {}
    return numpy.asarray(named[TEXT], numpy.float32)
