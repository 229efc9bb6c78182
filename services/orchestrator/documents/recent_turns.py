"""The last turns of a session, also while the index does not know them yet."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.turn.branches import branch_of
from services.orchestrator.turn.endings import row_of
from services.orchestrator.turn.state import Turn
from shared.contract.requests import TurnRecord, TurnRow

_TURNS = 1_000


class RecentTurns:
    """Keeps the rows of turns that ended in this process; reads those of other processes from their
    documents.

    Keeps a limited number of rows, and drops the oldest first.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._rows: OrderedDict[str, TurnRow] = OrderedDict()

    def add(self, record: TurnRecord) -> None:
        self._rows[record.turn_id] = row_of(record)
        while len(self._rows) > _TURNS:
            self._rows.popitem(last=False)

    def forget(self, turn_ids: Iterable[str]) -> None:
        for turn_id in turn_ids:
            self._rows.pop(turn_id, None)

    async def joined(self, turn: Turn, stored: Sequence[TurnRow], *, limit: int) -> list[TurnRow]:
        """The last `limit` turns that this one goes on from, oldest first. `stored`: those of the index."""
        if limit == 0:
            return []
        rows = {row.turn_id: row for row in stored}
        for turn_id in turn.earlier:
            if turn_id not in rows and (row := await self._row_of(turn_id)) is not None:
                rows[turn_id] = row
        before = [row for row in rows.values() if row.turn_number != turn.turn_number]
        return branch_of(before, turn.request.follows)[-limit:]

    async def _row_of(self, turn_id: str) -> TurnRow | None:
        if (row := self._rows.get(turn_id)) is not None:
            return row
        record = await read_record(self._documents, turn_id)
        return None if record is None else row_of(record)
