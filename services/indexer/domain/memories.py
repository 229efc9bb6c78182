"""What is known, out of what was said: a memory's history is a function of its statements, in any order.

Statements that can take each other's place share a *slot*: of an attribute that has one value at a time
(home, employer, favourite colour ...) the subject and the attribute; of one that has many (allergy, sister
...) also the value; of likes and dislikes the thing liked; of a note its words. Within a slot they are read
by the time from which they hold. The same again confirms; another one ends what held before, or, where
nothing says which of the two came last, contradicts it.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Final

import msgspec

from services.indexer.domain.decay import confirmed
from shared.memories import MANY_AT_A_TIME, USER, Evidence, Maker, MemoryKind

_TASTES: Final = frozenset({"likes", "dislikes"})
_SAME_ATTRIBUTE: Final = {
    **dict.fromkeys(("lives in", "residence", "city", "location"), "home"),
    **dict.fromkeys(("works at", "works for", "workplace", "company worked for"), "employer"),
    **dict.fromkeys(("job", "job title", "profession", "works as"), "occupation"),
    **dict.fromkeys(("like", "loves", "enjoys"), "likes"),
    **dict.fromkeys(("dislike", "hates"), "dislikes"),
    **dict.fromkeys(("allergies", "allergic to"), "allergy"),
    **dict.fromkeys(("mum", "mom"), "mother"),
    "dad": "father",
    "neighbor": "neighbour",
    "from": "hometown",
}
_MUCH_LESS_SURE: Final = 0.2
_RANK: Final[dict[Maker, int]] = {"user": 2, "tool": 1, "reflector": 0}


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A statement with everything that its sender may have left out."""

    statement_id: str
    user: str
    kind: MemoryKind
    subject: str
    attribute: str
    value: str
    text: str
    confidence: float
    made_by: Maker
    said_at: datetime
    valid_from: datetime
    valid_to: datetime | None = None
    used_at: datetime | None = None
    turn_id: str | None = None
    session_id: str = ""
    message_ids: list[str] = []
    quote: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A memory: statements of the same, one after the other, oldest first."""

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
        return [
            Evidence(
                made_by=one.made_by,
                said_at=one.said_at,
                turn_id=one.turn_id,
                session_id=one.session_id,
                message_ids=one.message_ids,
                quote=one.quote,
            )
            for one in self.said
        ]


# --- slots -------------------------------------------------------------------------------------------------


def plain_subject(subject: str) -> str:
    """The user is `user`, however they are called."""
    words = " ".join(subject.split())
    return USER if words.casefold() in {"", "i", "me", "myself", "self", "the user", USER} else words


def plain_attribute(attribute: str) -> str:
    """One name for one thing: `Works at`, `workplace` and `employer` are the same."""
    words = " ".join(attribute.replace("_", " ").replace("-", " ").casefold().split())
    return _SAME_ATTRIBUTE.get(words, words).replace("favorite", "favourite")


def key_of(words: str) -> str:
    """The same for the same words, whatever their case, articles and punctuation."""
    plain = re.sub(r"[^\w\s]", " ", words.casefold())
    return " ".join(re.sub(r"^\s*(?:the|an?|my)\s+", "", plain).split()) or words.strip()


def slot_of(said: Said) -> str:
    """Statements of one user with the same slot can confirm, end or contradict each other."""
    subject, value = key_of(said.subject), key_of(said.value or said.text)
    if said.attribute in _TASTES:
        return "\n".join((subject, "taste", value))
    if not said.attribute or said.attribute in MANY_AT_A_TIME:
        return "\n".join((subject, said.attribute, value))
    return "\n".join((subject, said.attribute))


def _choice(said: Said) -> str:
    """What it says, of all that may be said in its slot."""
    return said.attribute if said.attribute in _TASTES else key_of(said.value or said.text)


# --- history -----------------------------------------------------------------------------------------------


class _Run:
    """A memory while the statements of its slot are read."""

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
        holding = [run for run in runs if not run.is_over(said.valid_from)]
        same = next((run for run in holding if _choice(run.said[0]) == _choice(said)), None)
        if same is None:
            same = _Run(said)
            runs.append(same)
        else:
            same.add(said)
        for other in holding:
            if other is same:
                continue
            if said.attribute in _TASTES or _nobody_knows_which_is_newer(other.said[-1], said):
                other.contradict(same)
            else:
                other.end(said.valid_from, same)
    return [run.known() for run in runs]


def _nobody_knows_which_is_newer(earlier: Said, later: Said) -> bool:
    """At the same time; or on one day, where one names no more than the day, or is a much weaker guess of
    somebody else."""
    if earlier.valid_from == later.valid_from:
        return True
    if earlier.valid_from.astimezone(UTC).date() != later.valid_from.astimezone(UTC).date():
        return False
    names_a_day = any(one.valid_from.astimezone(UTC).timetz() == time(tzinfo=UTC) for one in (earlier, later))
    is_weaker = later.made_by != earlier.made_by and later.confidence < earlier.confidence - _MUCH_LESS_SURE
    return names_a_day or is_weaker


def current(history: Sequence[Known], now: datetime) -> list[Known]:
    """Those that hold now."""
    return [
        known
        for known in history
        if known.said[0].valid_from <= now and (known.valid_to is None or known.valid_to > now)
    ]
