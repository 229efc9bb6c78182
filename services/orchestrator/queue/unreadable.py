"""Requests for turns that cannot be read: each becomes a dead letter and leaves the queue."""

import asyncio

from nats.aio.msg import Msg
from tenacity import wait_fixed

from services.orchestrator.queue.nats_turns import remove_turn
from shared.bus.connection import Bus
from shared.bus.dead_letters import GivenUp, store_dead_letter
from shared.bus.durables import ORCHESTRATOR_TURN_REQUESTED
from shared.contract.errors import Poison
from shared.process.retrying import Retry

_UNTIL_DONE = Retry(wait=wait_fixed(1.0))


class UnreadableTurns:
    """Every orchestrator does this for each of them. The dead letter has one id, and is stored once."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._tasks: set[asyncio.Task[None]] = set()

    def put_aside(self, message: Msg, poison: Poison) -> None:
        letter = GivenUp(
            durable=ORCHESTRATOR_TURN_REQUESTED.name,
            sequence=message.metadata.sequence.stream,
            subject=message.subject,
            body=message.data,
            headers=message.headers or {},
            reason=str(poison),
        )
        task = asyncio.create_task(_UNTIL_DONE(self._replace, letter))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self, letter: GivenUp) -> None:
        await store_dead_letter(self._bus, letter)
        await remove_turn(self._bus, letter.sequence)
