"""Points that searches have found, in memory: to read their payloads takes as long as the search."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from services.indexer.passages.index import Candidate

_MOST = 50_000
"""Some 20 MB."""


class KnownPoints:
    """Candidates without scores, by the number of their point's id. Empties itself when it is full."""

    def __init__(self) -> None:
        self._points: dict[int, Candidate] = {}
        self._further_parts: dict[str, set[int]] = {}
        """By message. Its first part has the message's own id."""

    def among(self, ids: Iterable[int]) -> dict[int, Candidate]:
        return {id_: self._points[id_] for id_ in ids if id_ in self._points}

    def add(self, points: Mapping[int, Candidate]) -> None:
        if len(self._points) + len(points) > _MOST:
            self.clear()
        self._points |= points
        for id_, point in points.items():
            if point.part:
                self._further_parts.setdefault(point.key, set()).add(id_)

    def remove(self, messages: Iterable[UUID]) -> None:
        """All parts of these messages."""
        for message in messages:
            for id_ in (message.int, *self._further_parts.pop(str(message), ())):
                self._points.pop(id_, None)

    def clear(self) -> None:
        self._points.clear()
        self._further_parts.clear()
