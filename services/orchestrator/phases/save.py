"""Phase 7, save: the turn's folder in one step. No model."""

import msgspec

from services.orchestrator.domain.documents import documents_of
from services.orchestrator.domain.endings import last_event_of, record_of
from services.orchestrator.domain.labels import labels_of
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.deps import Deps
from shared.events import AnyLiveEvent, PhaseEnded
from shared.replies import TurnStatus


async def save(turn: Turn, deps: Deps) -> Turn:
    seconds = (deps.clock() - turn.phase_started_at).total_seconds()
    ended = PhaseEnded(index=turn.next_index, attempt=turn.attempt, phase="save", seconds=seconds)
    return await write_down(turn, "saved", deps, before_the_last=[ended])


async def write_down(
    turn: Turn,
    status: TurnStatus,
    deps: Deps,
    *,
    error: str | None = None,
    before_the_last: list[AnyLiveEvent] | None = None,
) -> Turn:
    """Writes the folder of a turn that has ended, well or badly: whoever is first decides how it ended.

    The turn that is returned holds its record, None where another process wrote one before, and all of its
    live events, the last ones not sent yet.
    """
    events = [*turn.events, *(before_the_last or [])]
    last_index = events[-1].index + 1 if events else 0
    record = record_of(turn, labels_of(turn), status, deps.clock(), last_index=last_index, error=error)
    events.append(last_event_of(record))
    if not await deps.documents.write(turn.turn_number, turn.turn_id, documents_of(turn, record, events)):
        return turn
    return msgspec.structs.replace(turn, record=record, events=events)
