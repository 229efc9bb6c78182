"""What becomes of a request for a turn that nobody can read."""

import asyncio
from collections.abc import Callable

from nats.aio.msg import Msg

from services.orchestrator.ports import Outcomes
from shared.bus import Bus
from shared.dead_letters import GivenUp, bury
from shared.errors import Poison, Transient
from shared.streams import ORCHESTRATOR_TURN_REQUESTED


def burying(bus: Bus, outcomes: Outcomes) -> Callable[[Msg, Poison], None]:
    """What cannot be read goes to the dead letters; every orchestrator does so, and one letter is stored."""
    aside: set[asyncio.Task[None]] = set()

    async def bury_and_leave(message: Msg, poison: Poison) -> None:
        while True:
            try:
                await bury(
                    bus,
                    GivenUp(
                        durable=ORCHESTRATOR_TURN_REQUESTED.name,
                        sequence=message.metadata.sequence.stream,
                        subject=message.subject,
                        body=message.data,
                        headers=message.headers or {},
                        reason=str(poison),
                    ),
                )
                await outcomes.leave_queue(message.metadata.sequence.stream)
                return
            except Transient:
                await asyncio.sleep(1.0)

    def unreadable(message: Msg, poison: Poison) -> None:
        task = asyncio.create_task(bury_and_leave(message, poison))
        aside.add(task)
        task.add_done_callback(aside.discard)

    return unreadable
