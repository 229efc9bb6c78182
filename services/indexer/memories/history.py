"""The memories that statements make. The history of a slot is a function of its statements, in any order.

They are read by the time from which they hold. The same statement again confirms a memory. Another one ends
the memory before it where both are plain. It contradicts it where one of them is a guess, or where nothing
says which of the two came last.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Final

import msgspec

from services.indexer.memories.decay import confirmed
from services.indexer.memories.slots import TASTES, choice_of
from services.indexer.memories.statement import Said
from shared.contract.derivation import derive
from shared.contract.memories import Evidence, Maker

_PLAIN: Final = 0.9
"""So sure is what the user plainly said, and less what an engine guessed."""
_RANK: Final[dict[Maker, int]] = {"user": 2, "tool": 1, "reflector": 0}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A memory: statements that say the same, oldest first."""

    said: list[Said]
    valid_to: datetime | None = None
    superseded_by: str | None = None
    contradicts: list[str] = []

    @property
    def memory_id(self) -> str:
        return self.said[0].statement_id

    @property
    def latest(self) -> Said:
        return self.said[-1]

    @property
    def confidence(self) -> float:
        sure = self.said[0].confidence
        for again in self.said[1:]:
            sure = confirmed(sure, again.confidence)
        return sure

    @property
    def made_by(self) -> Maker:
        return max((one.made_by for one in self.said), key=_RANK.__getitem__)

    @property
    def confirmed_at(self) -> datetime:
        return max(one.said_at for one in self.said)

    @property
    def used_at(self) -> datetime | None:
        return max((one.used_at for one in self.said if one.used_at), default=None)

    @property
    def evidence(self) -> list[Evidence]:
        return [derive(Evidence, one) for one in self.said]


class _Run:
    """A memory, while the statements of its slot are read."""

    def __init__(self, first: Said) -> None:
        self.said = [first]
        self.ends = first.valid_to
        self.next: _Run | None = None
        self.against: list[_Run] = []

    def add(self, again: Said) -> None:
        self.said.append(again)
        self.ends = again.valid_to or self.ends

    def is_over(self, at: datetime) -> bool:
        return self.ends is not None and self.ends <= at

    def end(self, at: datetime, following: "_Run") -> None:
        self.ends, self.next = at, following
        for other in self.against:
            other.against.remove(self)
        self.against = []

    def contradict(self, other: "_Run") -> None:
        if other not in self.against:
            self.against.append(other)
            other.against.append(self)

    def known(self) -> Known:
        return Known(
            said=self.said,
            valid_to=self.ends,
            superseded_by=self.next.said[0].statement_id if self.next else None,
            contradicts=sorted(other.said[0].statement_id for other in self.against),
        )


def history_of(statements: Iterable[Said]) -> list[Known]:
    """All memories of one slot, oldest first."""
    runs: list[_Run] = []
    for said in sorted(statements, key=lambda one: (one.valid_from, one.statement_id)):
        valid = [run for run in runs if not run.is_over(said.valid_from)]
        same = next((run for run in valid if choice_of(run.said[0]) == choice_of(said)), None)
        if same is None:
            same = _Run(said)
            runs.append(same)
        else:
            same.add(said)
        for other in valid:
            if other is same:
                continue
            if _supersedes(said, other):
                other.end(said.valid_from, same)
            else:
                other.contradict(same)
    return [run.known() for run in runs]


def _supersedes(later: Said, run: _Run) -> bool:
    """Whether the statement takes the place of the memory: both are plain, and it surely came later."""
    if later.attribute in TASTES or _order_is_unknown(run.said[-1], later):
        return False
    return _is_plain(later) and any(_is_plain(one) for one in run.said)


def _is_plain(said: Said) -> bool:
    return said.made_by == "user" or said.confidence >= _PLAIN


def _order_is_unknown(earlier: Said, later: Said) -> bool:
    """True at the same time, and on one day where one of them names only the day."""
    if earlier.valid_from == later.valid_from:
        return True
    if earlier.valid_from.astimezone(UTC).date() != later.valid_from.astimezone(UTC).date():
        return False
    return any(one.valid_from.astimezone(UTC).timetz() == time(tzinfo=UTC) for one in (earlier, later))


def current(history: Sequence[Known], now: datetime) -> list[Known]:
    """The memories that are valid now."""
    return [
        known
        for known in history
        if known.said[0].valid_from <= now and (known.valid_to is None or known.valid_to > now)
    ]
