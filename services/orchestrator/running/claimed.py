"""The turn of a lease that this process has just claimed."""

from datetime import datetime

import msgspec

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.queue.item import Item, SessionKey
from services.orchestrator.queue.turn_lease import TurnLease
from services.orchestrator.running.checkpoints import saved_turn
from services.orchestrator.turn.state import Turn, new_turn
from shared.contract.events import TurnRequested

QueuedTurn = Item[TurnRequested]


async def claimed_turn(lease: TurnLease[TurnRequested], documents: Documents, now: datetime) -> Turn | None:
    """As it was saved, else as it stands in the queue, else as it ended. None where no store knows it.

    A turn that has ended leaves the queue. Its process may have died before it could free the lease.
    """
    if (saved := saved_turn(lease.checkpoint)) is not None:
        return msgspec.structs.replace(saved, attempt=lease.attempt)
    if lease.item is not None:
        request, requested_at = lease.item.request, lease.item.requested_at
    elif (ended := await _ended_request(lease.turn_id, lease.session, documents)) is not None:
        request, requested_at = ended, now
    else:
        return None
    return new_turn(
        request,
        lease.turn_number,
        requested_at,
        now,
        attempt=lease.attempt,
        earlier=lease.recent,
        history_from=lease.history_from,
    )


async def _ended_request(turn_id: str, session: SessionKey, documents: Documents) -> TurnRequested | None:
    record = await read_record(documents, turn_id)
    if record is None:
        return None
    user, session_id = session
    return TurnRequested(
        turn_id=turn_id, session_id=session_id, user=user, input=record.input, recipe=record.recipe
    )
