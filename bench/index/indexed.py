"""Saved turns as the bench makes them, and the wait until the indexer has said that they are indexed."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client
from nats.aio.msg import Msg
from uuid_utils import uuid7

from bench.engines.instant import short_reply
from bench.running.sentences import sentences
from shared.contract.events import LOCAL_USER, TurnIndexed, TurnSaved, decode

_TURNS_A_SESSION = 20
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_WAIT_SECONDS = 300.0


def saved_turns(seed: int, *, first_number: int = 1, user: str = LOCAL_USER) -> Iterator[TurnSaved]:
    """Without end; sessions of twenty turns, one turn a minute."""
    for offset, said in enumerate(sentences(seed)):
        number = first_number + offset
        at = _BEGINNING + timedelta(minutes=number)
        yield TurnSaved(
            turn_id=str(uuid7()),
            turn_number=number,
            session_id=f"session-{number // _TURNS_A_SESSION}",
            user=user,
            input=said,
            output="".join(short_reply(said)),
            recipe="direct",
            model="instant",
            topic="bench",
            intent="statement",
            keywords=["bench"],
            quality=0.5,
            turn_dir=f"turn_{number:06d}",
            requested_at=at,
            saved_at=at,
        )


class Indexed:
    """Listens to `turn.indexed` from the moment it is entered."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def followed(cls, client: Client) -> AsyncIterator["Indexed"]:
        listener = cls()
        async with client:
            await client.subscribe(TurnIndexed.subject, cb=listener._take)
            await client.flush()
            await client.flush()
            yield listener

    async def _take(self, message: Msg) -> None:
        self._seen.add(decode(TurnIndexed, message.data).turn_id)
        self._news.set()

    def count(self, turn_ids: Iterable[str]) -> int:
        """How many of them are indexed."""
        return len(self._seen.intersection(turn_ids))

    async def wait_for(self, turn_ids: Iterable[str]) -> None:
        wanted = set(turn_ids)
        async with asyncio.timeout(_WAIT_SECONDS):
            while not wanted <= self._seen:
                self._news.clear()
                await self._news.wait()
