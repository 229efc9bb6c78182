"""The last turns of a session, for the moment until the index knows them."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from services.orchestrator.archive import read_record
from services.orchestrator.domain.turn import Turn
from services.orchestrator.ports import Documents
from shared.replies import TurnRecord, TurnRow

_TURNS = 1_000


class RecentTurns:
    """The rows of turns that ended a moment ago: those of this process at hand, others from their documents.

    Bounded; the turns that ended longest ago are forgotten first.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._rows: OrderedDict[str, TurnRow] = OrderedDict()

    def add(self, record: TurnRecord) -> None:
        self._rows[record.turn_id] = _row(record)
        while len(self._rows) > _TURNS:
            self._rows.popitem(last=False)

    def forget(self, turn_ids: Iterable[str]) -> None:
        for turn_id in turn_ids:
            self._rows.pop(turn_id, None)

    async def joined(self, turn: Turn, stored: Sequence[TurnRow], *, limit: int) -> list[TurnRow]:
        """The session's last `limit` turns before this one, oldest first, from the index and from here."""
        if limit == 0:
            return []
        rows = {row.turn_id: row for row in stored}
        for turn_id in turn.earlier:
            if turn_id not in rows and (row := await self._row_of(turn_id)) is not None:
                rows[turn_id] = row
        before = [row for row in rows.values() if row.turn_number != turn.turn_number]
        return sorted(before, key=lambda row: row.turn_number)[-limit:]

    async def _row_of(self, turn_id: str) -> TurnRow | None:
        if (row := self._rows.get(turn_id)) is not None:
            return row
        record = await read_record(self._documents, turn_id)
        return None if record is None else _row(record)


def _row(record: TurnRecord) -> TurnRow:
    return TurnRow(
        turn_id=record.turn_id,
        turn_number=record.turn_number,
        session_id=record.session_id,
        at=record.ended_at,
        topic=record.topic,
        intent=record.intent,
        keywords=record.keywords,
        quality=record.quality,
        model=record.model,
        recipe=record.recipe,
        input=record.input,
        output=record.output,
        quoted=record.quoted,
        images=record.images,
        status="saved" if record.status == "saved" else "cancelled",
    )
