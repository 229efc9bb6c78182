"""Pictures of the queue, and what stands in them, in a few words."""

from typing import Any

from services.orchestrator.queue.lease import Lease
from services.orchestrator.queue.picture import QueuePicture
from services.orchestrator.running.claimed import QueuedTurn
from shared.contract.events import TurnRequested
from tests.unit.samples import AT, requested

KITCHEN = ("alice", "kitchen")
Picture = QueuePicture[TurnRequested]


def waiting(number: int, user: str = "alice", session: str = "kitchen", **more: Any) -> QueuedTurn:
    request = requested(f"t{number}", user=user, session_id=session, **more)
    return QueuedTurn(number=number, request=request, requested_at=AT, seen_at=0.0)


def picture(*turns: QueuedTurn) -> Picture:
    made = Picture("me")
    for turn in turns:
        assert made.add(turn)
    return made


def held(number: int, holder: str = "other", **more: Any) -> Lease:
    return Lease(state="held", holder=holder, turn_id=f"t{number}", turn_number=number, **more)


def free(number: int) -> Lease:
    return Lease(state="free", turn_id=f"t{number}", turn_number=number)


def claimable(picture: Picture) -> list[int]:
    """The numbers of all turns that this process may claim now."""
    found: list[int] = []
    while (claim := picture.next_claim()) is not None:
        found.append(claim.turn_number)
    return found
