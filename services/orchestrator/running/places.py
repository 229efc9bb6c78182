"""Announces to a waiting turn's readers how many turns are before it."""

from collections.abc import Awaitable, Callable, Sequence

from services.orchestrator.running.claimed import QueuedTurn
from services.orchestrator.running.ports import Announcements
from shared.contract.derivation import derive
from shared.contract.events import AnyLiveEvent, Queued


def place_announcer(announcements: Announcements) -> Callable[[QueuedTurn, int, float], Awaitable[None]]:
    async def announce(turn: QueuedTurn, place: int, estimate_seconds: float) -> None:
        def queued(sent: Sequence[AnyLiveEvent]) -> Queued | None:
            # The queue's picture here may be old; what was sent is not. Nothing follows a turn's beginning.
            if not all(isinstance(event, Queued) for event in sent):
                return None
            return derive(
                Queued,
                turn.request,
                index=len(sent),
                turn_number=turn.number,
                position=place,
                estimate_seconds=estimate_seconds,
            )

        await announcements.join(turn.request.turn_id, (), queued)

    return announce
