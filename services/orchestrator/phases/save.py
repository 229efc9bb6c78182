"""Phase 7, save: the turn's folder in one step, and its place in the session. No model."""

import msgspec

from services.orchestrator.domain.documents import documents_of
from services.orchestrator.domain.labels import labels_of
from services.orchestrator.domain.turn import Turn, record_of
from services.orchestrator.phases.tools import Tools
from shared.replies import TurnRecord, TurnRow, TurnStatus


async def save(turn: Turn, tools: Tools) -> Turn:
    await write_down(turn, "saved", tools)
    return turn


async def write_down(turn: Turn, status: TurnStatus, tools: Tools, error: str | None = None) -> TurnRecord:
    """Writes the folder of a turn that has ended, well or badly, and returns what it holds."""
    # The last live event still follows: its index belongs to the record.
    record = record_of(turn, labels_of(turn), status, tools.clock(), error)
    await tools.documents.write(turn.turn_number, turn.turn_id, documents_of(turn, record))
    if status == "saved":
        tools.recent.add(turn.request.user, _row(record))
    return record


def _row(record: TurnRecord) -> TurnRow:
    row = msgspec.structs.asdict(record)
    wanted = {field: row[field] for field in TurnRow.__struct_fields__ if field != "at"}
    return TurnRow(at=record.ended_at, **wanted)
