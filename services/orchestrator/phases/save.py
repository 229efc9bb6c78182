"""Phase 7, save: the turn's folder in one step. No model."""

from services.orchestrator.documents.rendering import documents_of
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.turn.endings import last_event_of, record_of
from services.orchestrator.turn.found import WrittenDown
from services.orchestrator.turn.labels import labels_of
from services.orchestrator.turn.state import Turn
from shared.contract.requests import TurnStatus


async def save(turn: Turn, deps: Deps, phase: RunningPhase) -> WrittenDown:
    return await write_down(turn, "saved", deps)


async def write_down(
    turn: Turn,
    status: TurnStatus,
    deps: Deps,
    *,
    error: str | None = None,
) -> WrittenDown:
    """Writes the folder of a turn that has ended, well or badly: the first process that does decides how.

    Raises Transient while it cannot be written.
    """
    record = record_of(turn, labels_of(turn), status, deps.clock(), last_index=turn.next_index, error=error)
    events = [*turn.events, last_event_of(record)]
    if not await deps.documents.write(turn.turn_number, turn.turn_id, documents_of(turn, record, events)):
        return WrittenDown(record=None, events=turn.events)
    return WrittenDown(record=record, events=events)
