"""Where the streams hold the events that came. What is forgotten is found by it, and no stream is read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from shared.bus.deliveries import Delivery
from shared.bus.endpoints import endpoint
from shared.contract.errors import Transient
from shared.contract.events import ForgetRequested
from shared.contract.requests import KnownEvents, KnownEventsReply

log = logging.getLogger(__name__)
_ERASED_AT_ONCE = 16
_LOOKED_FOR_AT_ONCE = 1_000


class Origin(msgspec.Struct, frozen=True):
    """What an event is about."""

    user: str
    session_id: str
    """Empty where it says none, as `turn_id`."""
    turn_id: str
    began_at: datetime
    """When its turn was asked for. What belongs to no turn began when it was stored."""
    memory_id: str = ""


class Arrival(msgspec.Struct, frozen=True):
    """A stored message of a stream, and what it is about."""

    stream: str
    sequence: int
    stored_at: datetime
    origin: Origin


class ArrivalTable(Protocol):
    """Every call raises Transient while PostgreSQL is away."""

    async def add(self, arrivals: Sequence[Arrival]) -> None:
        """The same arrival again changes nothing. One under a known number takes its place."""
        ...

    async def about(self, order: ForgetRequested, memory_ids: Collection[str], limit: int) -> list[Arrival]:
        """At most `limit` of those that the order or a memory of its user is about."""
        ...

    async def about_turns(self, user: str, turn_ids: Sequence[str], limit: int) -> list[Arrival]: ...

    async def remove(self, arrivals: Sequence[Arrival]) -> None: ...

    async def first(self) -> dict[str, int]:
        """By stream, the lowest number that is known."""
        ...

    async def forget_expired(self) -> None:
        """Those whose messages the streams have dropped by now."""
        ...


EraseStored = Callable[[str, int, datetime], Awaitable[bool]]
"""Erases a message from a stream where it was stored at that time. False where there is none. Raises
Transient."""


class Arrivals:
    """Notes events before they are handled, and erases those that are forgotten from their streams."""

    def __init__(self, table: ArrivalTable, erase: EraseStored) -> None:
        self._table = table
        self._erase = erase
        self._expected: dict[tuple[str, int], Arrival] = {}

    def expect(self, stream: str, delivery: Delivery, origin: Origin) -> None:
        """The next `note` writes it down."""
        arrival = Arrival(stream, delivery.sequence, delivery.stored_at, origin)
        self._expected[arrival.stream, arrival.sequence] = arrival

    async def note(self) -> None:
        """Writes down what is expected, of all who wait for it. Raises Transient.

        To be awaited before an event is compared with what is forgotten: either the event meets the request,
        or the request finds the event.
        """
        expected = dict(self._expected)
        if expected:
            await self._table.add(list(expected.values()))
        for key in expected:
            self._expected.pop(key, None)

    async def erase(self, order: ForgetRequested, memory_ids: Collection[str]) -> int:
        """Returns how many messages were erased."""
        return await self._erase_all(lambda: self._table.about(order, memory_ids, _LOOKED_FOR_AT_ONCE))

    async def erase_turns(self, user: str, turn_ids: Sequence[str]) -> int:
        """Returns how many messages were erased."""
        return await self._erase_all(lambda: self._table.about_turns(user, turn_ids, _LOOKED_FOR_AT_ONCE))

    async def _erase_all(self, look: Callable[[], Awaitable[list[Arrival]]]) -> int:
        gate = asyncio.Semaphore(_ERASED_AT_ONCE)

        async def erased(one: Arrival) -> bool:
            async with gate:
                return await self._erase(one.stream, one.sequence, one.stored_at)

        number = 0
        while some := await look():
            number += sum(await asyncio.gather(*map(erased, some)))
            await self._table.remove(some)
        return number

    @endpoint
    async def known_events(self, request: KnownEvents) -> KnownEventsReply:
        return KnownEventsReply(since=await self._table.first())

    async def run_sweeps(self, every_seconds: float) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._table.forget_expired()
            except Transient as error:
                log.info("where the streams held old events is forgotten later: %s", error)
            await asyncio.sleep(every_seconds)
