"""The last turns of each session that this process answered, for the moment until they are indexed."""

from collections import OrderedDict, deque
from collections.abc import Sequence

from shared.replies import TurnRow

_SESSIONS = 10_000
_TURNS_A_SESSION = 20


class RecentTurns:
    """Bounded; the sessions that were not spoken to for longest are forgotten first."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str, str], deque[TurnRow]] = OrderedDict()

    def add(self, user: str, row: TurnRow) -> None:
        turns = self._sessions.setdefault((user, row.session_id), deque(maxlen=_TURNS_A_SESSION))
        turns.append(row)
        self._sessions.move_to_end((user, row.session_id))
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def joined(
        self, user: str, session_id: str, stored: Sequence[TurnRow], *, before: int, limit: int
    ) -> list[TurnRow]:
        """The session's last `limit` turns before this one, oldest first, from the index and from here."""
        if limit == 0:
            return []
        turns = {row.turn_number: row for row in (*stored, *self._sessions.get((user, session_id), ()))}
        return [turns[number] for number in sorted(turns) if number < before][-limit:]
