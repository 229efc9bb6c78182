"""Joins a queue to NATS: feeds it with turns, leases, ends and heartbeats, and sends its own heartbeats."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from services.orchestrator.queue.nats_leases import leases_tail
from services.orchestrator.queue.nats_turns import hear_ends, turns_tail
from services.orchestrator.queue.turn_queue import TurnQueue
from services.orchestrator.queue.unreadable import UnreadableTurns
from shared.bus.connection import Bus
from shared.bus.tail import Tail
from shared.contract.events import TurnRequested
from shared.contract.subjects import ALIVE

_BEAT_SECONDS = 1.0


async def join(
    bus: Bus,
    queue: TurnQueue[TurnRequested],
    *,
    declare: Callable[[], Awaitable[None]],
    start: Callable[[Coroutine[Any, Any, None]], None],
) -> Tail:
    """Returns the reader of turns when the queue knows every turn and lease that NATS has.

    `declare` is called where NATS has lost a stream; `start` runs a task for the life of the process.
    """
    leases = leases_tail(bus, see=queue.see_lease, lost=queue.forget_leases, missing=declare)
    start(leases.run())
    start(_beat(bus, queue))
    await hear_ends(bus, queue.see_end)
    # Leases first: a turn whose lease is not known yet looks like one that no process runs.
    await leases.caught_up.wait()
    unreadable = UnreadableTurns(bus)
    turns = turns_tail(bus, see=queue.see_turn, unreadable=unreadable.put_aside, missing=declare)
    start(turns.run())
    await turns.caught_up.wait()
    return turns


async def _beat(bus: Bus, queue: TurnQueue[TurnRequested]) -> None:
    async def hear(message: Msg) -> None:
        queue.see_heartbeat(message.data.decode(errors="replace"))

    await bus.connection.subscribe(ALIVE, cb=hear)
    while True:
        if bus.connection.is_connected:
            with contextlib.suppress(nats.errors.Error):  # The next one is due in a second.
                await bus.connection.publish(ALIVE, queue.own.encode())
        await asyncio.sleep(_BEAT_SECONDS)
