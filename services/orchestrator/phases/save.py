"""Phase 7, save: the turn's folder in one step, and its place in the session. No model."""

import msgspec

from services.orchestrator.domain.documents import documents_of
from services.orchestrator.domain.labels import labels_of
from services.orchestrator.domain.turn import Turn, record_of
from services.orchestrator.phases.tools import Tools
from shared.replies import TurnRecord, TurnRow, TurnStatus


async def save(turn: Turn, tools: Tools) -> Turn:
    return msgspec.structs.replace(turn, record=await write_down(turn, "saved", tools))


async def write_down(turn: Turn, status: TurnStatus, tools: Tools, error: str | None = None) -> TurnRecord:
    """Writes the folder of a turn that has ended, well or badly, and returns what it holds."""
    # A saved turn's stream still gets this phase's end before its last event; a failed one's does not.
    last_index = turn.next_index + (1 if status == "saved" else 0)
    record = record_of(turn, labels_of(turn), status, tools.clock(), last_index=last_index, error=error)
    await tools.documents.write(turn.turn_number, turn.turn_id, documents_of(turn, record))
    if status == "saved":
        tools.recent.add(turn.request.user, _row(record))
    return record


def _row(record: TurnRecord) -> TurnRow:
    row = msgspec.structs.asdict(record)
    wanted = {field: row[field] for field in TurnRow.__struct_fields__ if field != "at"}
    return TurnRow(at=record.ended_at, **wanted)
