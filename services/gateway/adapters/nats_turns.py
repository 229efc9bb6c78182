"""Turns over the bus."""

from contextlib import suppress
from typing import TypeVar

from shared.bus import Bus
from shared.errors import Transient
from shared.events import Event, Queued, TurnRequested, encode, live_subject
from shared.replies import Request

R = TypeVar("R")


class BusTurns:
    """Turns over JetStream and request/reply."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def accept(self, turn: TurnRequested) -> int:
        number = await self._bus.publish(turn)
        queued = Queued(
            index=0,
            turn_id=turn.turn_id,
            turn_number=number,
            session_id=turn.session_id,
            user=turn.user,
        )
        # The orchestrator says the same when it takes the turn; until then the turn can already be looked at.
        # Stored, not only sent: whoever asks for the turn right after its 202 must find it.
        with suppress(Transient):  # The turn is accepted all the same.
            await self._bus.store(live_subject(turn.turn_id), encode(queued), {})
        return number

    async def publish(self, event: Event) -> None:
        await self._bus.publish(event)

    async def ask(self, request: Request[R], timeout_seconds: float | None = None) -> R:
        return await self._bus.ask(request, timeout_seconds)
