"""Marks words of a found message that are outdated: "I live in Lisbon", once it is Porto."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.search.hits import Hits
from shared.contract.requests import Hit


class OutdatedWords(Protocol):
    """Words of messages that memories know to be outdated."""

    async def outdated(self, user: str, message_ids: Sequence[str], at: datetime) -> dict[str, list[str]]:
        """By message, the quotes in it of memories that had ended at that time."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class DatedHits:
    """Hits of messages, each with its outdated words."""

    def __init__(self, hits: Hits, words: OutdatedWords, clock: Callable[[], datetime] = _now) -> None:
        self._hits = hits
        self._words = words
        self._clock = clock

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        found = await self._hits.of(user, ids)
        asked = sorted({one for hit in found.values() for one in _messages_of(hit)})
        past = await self._words.outdated(user, asked, self._clock()) if asked else {}
        return {key: _dated(hit, past) for key, hit in found.items()} if past else found


def _messages_of(hit: Hit) -> list[str]:
    """Of a turn also the user's message, which is a part of its text."""
    return [*hit.message_ids, *([f"{hit.turn_id}:user"] if hit.turn_id else [])]


def _dated(hit: Hit, past: Mapping[str, list[str]]) -> Hit:
    quotes = dict.fromkeys(quote for one in _messages_of(hit) for quote in past.get(one, []))
    return msgspec.structs.replace(hit, outdated=list(quotes))
