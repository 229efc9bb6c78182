"""Removes from JetStream what is forgotten, asks the indexer to do the same, and tells all orchestrators."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.js.errors import APIError

from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.forgetting.nats_blocks import AWAY, NO_ANSWER, Blocks, answered
from services.orchestrator.forgetting.stored_messages import is_forgotten
from shared.bus.connection import Bus
from shared.bus.durables import DURABLES
from shared.bus.replay import Stored, replay
from shared.bus.streams import CHATS, DEAD, LIVE, MEMORIES, OUTCOMES, RESEARCH
from shared.contract.errors import Poison, Transient
from shared.contract.events import ForgetRequested, TurnIndexed, decode, encode, live_subject
from shared.contract.requests import (
    EraseRows,
    ForgetCached,
    ForgetRows,
    KnownEvents,
    Request,
    StillForgetting,
)

R = TypeVar("R")
_AT_ONCE = 16
_SILENCE_SECONDS = 10.0
_TURN_IDS_AT_ONCE = 1_000
_LIVE_AT_ONCE = 100
_STREAMS = (OUTCOMES, MEMORIES, RESEARCH, DEAD, CHATS)
_OF_THE_INDEXER = frozenset(
    subject for durable in DURABLES if durable.name.startswith("indexer-") for subject in durable.subjects
)
"""It erases the messages on these that it knows: `index.known`."""
_WITHOUT_WORDS = frozenset({TurnIndexed.subject})
_NO_MESSAGE = (10037, 10043, 10057)
"""JetStream's error codes for a message that does not exist any more."""


class BusIndexer:
    """Indexer over the bus. While it works for long, it has to send signs of life."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ask(self, request: Request[R]) -> R:
        if not isinstance(request, ForgetRows | EraseRows):
            return await self._bus.ask(request, timeout=_SILENCE_SECONDS)
        question: Any = request
        following = self._bus.ask_and_follow(question, StillForgetting, silence_seconds=_SILENCE_SECONDS)
        async with aclosing(following) as answers:
            async for answer in answers:
                if not isinstance(answer, StillForgetting):
                    reply: R = answer
                    return reply
        raise Transient(f"no answer to {request.subject}")


async def on_forgotten_turns(bus: Bus, forget: Callable[[Sequence[str]], None]) -> None:
    """Calls `forget` with turns that any orchestrator has forgotten."""

    async def take(message: Msg) -> None:
        with contextlib.suppress(Poison):
            forget(decode(ForgetCached, message.data).turn_ids)

    await bus.connection.subscribe(ForgetCached.subject, cb=take)


class BusTraces:
    """Traces in the streams and buckets of the bus."""

    def __init__(self, bus: Bus, *, replicas: int) -> None:
        self._bus = bus
        self._blocks = Blocks(bus, replicas=replicas)

    async def announce(self, turn_ids: Sequence[str]) -> None:
        for begin in range(0, len(turn_ids), _TURN_IDS_AT_ONCE):
            some = ForgetCached(turn_ids=list(turn_ids[begin : begin + _TURN_IDS_AT_ONCE]))
            await answered(self._bus.connection.publish(some.address(), encode(some)))

    async def remove(self, order: ForgetRequested, forgotten: Forgotten, also: Sequence[str]) -> int:
        known = (await self._bus.ask(KnownEvents(), timeout=_SILENCE_SECONDS)).since
        removed = 0
        for stream, subject in _searched(order):
            end = known.get(stream) if subject in _OF_THE_INDEXER else None
            async for page in self._pages(stream, subject, end):
                found = [
                    one for one in page if is_forgotten(one.body, _stored_at(one), order, forgotten, also)
                ]
                removed += await self._delete(stream, found)
        turn_ids = {*forgotten.turn_ids, *also}
        if len(turn_ids) > _LIVE_AT_ONCE:
            turn_ids &= await self._live_turns()
        for turn_id in turn_ids:
            async for page in replay(self._bus, str(LIVE.name), live_subject(turn_id)):
                removed += await self._delete(str(LIVE.name), page)
        return removed

    async def _pages(self, stream: str, subject: str, end: int | None) -> AsyncIterator[list[Stored]]:
        """Yields the messages before the number `end`; None: all."""
        async with aclosing(replay(self._bus, stream, subject)) as pages:
            async for page in pages:
                if end is not None and page[-1].sequence >= end:
                    yield [one for one in page if one.sequence < end]
                    return
                yield page

    async def erase(self) -> None:
        await self._blocks.erase()

    async def _live_turns(self) -> set[str]:
        prefix = live_subject("")
        info = await answered(self._bus.jetstream.stream_info(str(LIVE.name), subjects_filter=f"{prefix}*"))
        return {subject.removeprefix(prefix) for subject in info.state.subjects or {}}

    async def _delete(self, stream: str, stored: Sequence[Stored]) -> int:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def delete(one: Stored) -> None:
            async with gate:
                await _deleted(self._bus.jetstream.delete_msg(stream, one.sequence))

        await asyncio.gather(*map(delete, stored))
        return len(stored)


def _searched(order: ForgetRequested) -> Iterator[tuple[str, str]]:
    """Yields streams and their subjects.

    What has no words, only names, goes with a session or a user alone.
    """
    for stream in _STREAMS:
        for subject in stream.subjects or ():
            if subject not in _WITHOUT_WORDS or order.scope in ("session", "user"):
                yield str(stream.name), subject


def _stored_at(stored: Stored) -> datetime:
    return msgspec.convert(stored.headers["Nats-Time-Stamp"], datetime)


async def _deleted(call: Awaitable[bool]) -> None:
    try:
        await call
    except APIError as error:
        if error.err_code not in _NO_MESSAGE:
            raise Transient(f"NATS did not erase a message: {error.description}") from error
    except AWAY as error:
        raise Transient(NO_ANSWER) from error
