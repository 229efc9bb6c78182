"""Turns in NATS: the stream TURNS, read whole, and the ends of turns that no process ran."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg

from services.orchestrator.queue.item import Item
from shared.bus.connection import Bus
from shared.bus.storing import delete_message
from shared.bus.streams import TURNS
from shared.bus.tail import Tail
from shared.contract.errors import Poison, Transient
from shared.contract.events import TurnCancelled, TurnFailed, TurnRequested, decode

_NO_MESSAGE = 10057
"""JetStream's `no message found`."""


def turns_tail(
    bus: Bus,
    *,
    see: Callable[[Item[TurnRequested]], None],
    unreadable: Callable[[Msg, Poison], None],
    missing: Callable[[], Awaitable[None]],
) -> Tail:
    """Calls `see` with each turn that is accepted, in the order of the numbers."""
    now = asyncio.get_running_loop().time

    def take(message: Msg) -> None:
        try:
            request = decode(TurnRequested, message.data)
        except Poison as poison:
            unreadable(message, poison)
            return
        metadata = message.metadata
        see(
            Item(
                number=metadata.sequence.stream,
                request=request,
                requested_at=metadata.timestamp,
                seen_at=now(),
                is_backlog=not tail.caught_up.is_set(),
            )
        )

    # What a lost store held is still known here, and is run all the same.
    tail = Tail(
        bus,
        str(TURNS.name),
        subject=TurnRequested.subject,
        take=take,
        lost=lambda: None,
        missing=missing,
    )
    return tail


async def remove_turn(bus: Bus, number: int) -> None:
    """Takes a turn that has ended out of the stream; nothing where it is gone. Raises Transient.

    Its bytes are not overwritten: that took the server 3 ms, in which it stored no other turn. Forgetting
    erases them (`services/orchestrator/forgetting/nats_blocks.py`).
    """
    try:
        await delete_message(bus.connection, str(TURNS.name), number, bus.timeout)
    except nats.js.errors.APIError as error:
        if error.code and error.code >= 500 and error.err_code != _NO_MESSAGE:
            raise Transient(f"NATS did not delete turn {number}: {error.description}") from error
    except (nats.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS did not delete turn {number}: {error or type(error).__name__}") from error


async def hear_ends(bus: Bus, see_end: Callable[[int], None]) -> None:
    """Calls `see_end` with the number of each turn that failed or was cancelled, in any process."""

    async def take(message: Msg) -> None:
        with contextlib.suppress(Poison):
            see_end(decode(_Ended, message.data).turn_number)

    for kind in (TurnCancelled, TurnFailed):
        await bus.connection.subscribe(kind.subject, cb=take)


class _Ended(msgspec.Struct):
    turn_number: int
