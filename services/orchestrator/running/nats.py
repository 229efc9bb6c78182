"""Announcements and outcomes over the bus."""

import contextlib
from collections.abc import Sequence

from services.orchestrator.queue.nats_turns import remove_turn
from services.orchestrator.running.ports import MakeEvent
from services.orchestrator.turn.live_events import story_of
from shared.bus.buckets import Conflict, publish_after
from shared.bus.connection import Bus
from shared.bus.dead_letters import GivenUp, store_dead_letter
from shared.bus.durables import ORCHESTRATOR_TURN_REQUESTED
from shared.bus.replay import replay
from shared.bus.streams import LIVE
from shared.contract.errors import Poison
from shared.contract.events import (
    AnyLiveEvent,
    Event,
    TurnRequested,
    decode_live,
    encode,
    joining_subject,
    live_subject,
)


class BusAnnouncements:
    """Announcements on the turn's subject, which the LIVE stream keeps for a while."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        await self._bus.emit(turn_id, event)

    async def join(self, turn_id: str, known: Sequence[AnyLiveEvent], make: MakeEvent) -> list[AnyLiveEvent]:
        subject = live_subject(turn_id)
        sent = list(known)
        last_sequence = 0
        while True:
            async for page in replay(self._bus, str(LIVE.name), subject, first_sequence=last_sequence + 1):
                last_sequence = page[-1].sequence
                for stored in page:
                    with contextlib.suppress(Poison):  # Anybody may publish on the subject.
                        sent.append(decode_live(stored.body))
            joined = story_of(sent)
            next_event = make(joined)
            if next_event is None:
                return joined
            try:
                await publish_after(
                    self._bus, joining_subject(turn_id), encode(next_event), last_sequence=last_sequence
                )
            except Conflict:
                continue  # Another process sent one more; the next one goes after that.
            await self.emit(turn_id, next_event)  # Now that it holds, for those who listen.
            return [*joined, next_event]


class BusOutcomes:
    """Outcomes on the stream OUTCOMES, and the queue TURNS."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, event: Event) -> None:
        await self._bus.publish(event)

    async def leave_queue(self, turn_number: int) -> None:
        await remove_turn(self._bus, turn_number)

    async def refuse(self, turn_number: int, request: TurnRequested) -> None:
        letter = GivenUp(
            durable=ORCHESTRATOR_TURN_REQUESTED.name,
            sequence=turn_number,
            subject=request.subject,
            body=encode(request),
            reason=f"there is another turn {request.turn_id}; give each turn an id of its own",
        )
        await store_dead_letter(self._bus, letter)
