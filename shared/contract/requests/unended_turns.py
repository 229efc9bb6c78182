"""Turns that wait or run: found, listed and controlled. The orchestrator answers."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from shared.contract.events import SessionId, TurnId, User
from shared.contract.requests.request import Request
from shared.contract.requests.turns import TurnStatus

UnendedStatus = Literal["queued", "running", "waiting"]


class UnendedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that waits or runs."""

    turn_id: str
    turn_number: int
    session_id: str
    user: str
    status: UnendedStatus
    """It waits for its turn, runs, or waits for a person to allow what a tool would do."""
    input: str
    requested_at: datetime
    position: int = 0
    """Turns that go before this one, of all users. 0 where it runs."""
    estimate_seconds: float = 0.0
    """Seconds until it begins, by what the last turns took. 0 where nothing is known."""


class FindUnended(Request[UnendedTurn], frozen=True, kw_only=True):
    """anyone -> orchestrator: a turn that waits or runs. Refused with 404 where the user has no such turn."""

    subject: ClassVar[str] = "turns.unended"

    user: User
    turn_id: TurnId


class UnendedTurns(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[UnendedTurn]
    """Oldest first. 512 Ki characters of inputs end a page too."""
    more: bool
    """True where more come after the last one here."""
    queued: int
    """Turns of the user that wait for their turn, on whatever page."""
    running: int
    """Turns of the user that run."""
    waiting: int
    """Turns of the user that wait for a person to allow a tool call."""


class ListUnended(Request[UnendedTurns], frozen=True, kw_only=True):
    """anyone -> orchestrator: the turns of a user that wait or run, oldest first, a page at a time."""

    subject: ClassVar[str] = "turns.queue"

    user: User
    status: UnendedStatus | None = None
    """Only turns of this status. The counts are of all."""
    after: int = 0
    """The number of the last turn of the page before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    """Most turns."""


class RunningReply(msgspec.Struct, frozen=True, kw_only=True):
    turn: UnendedTurn | None
    """The turn; null where the session is free."""


class FindRunning(Request[RunningReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the turn that keeps a session busy.

    It is the one that runs, else the first that waits.
    """

    subject: ClassVar[str] = "turns.running"

    user: User
    session_id: SessionId


class Controlled(msgspec.Struct, frozen=True, kw_only=True):
    """What a control found, and what it did."""

    turn_id: str
    """The turn."""
    found: TurnStatus
    """The turn's status when the control arrived."""
    phase: str | None = None
    """The phase that ran then."""
    done: bool
    """False where the turn had ended before: nothing was changed."""
    takes_effect: str | None = None
    """For `steer`: the first phase that knows of the text."""
    calls: list[str] = []
    """For `approve`, `deny` and `result`: the keys of the calls that were answered."""


class Control(Request[Controlled], frozen=True, kw_only=True):
    """anyone -> orchestrator: stop a turn, add a message to it, or answer a tool call that waits.

    Any orchestrator may be asked: it passes the control on to the one that runs the turn.

    `cancel` may be sent again and again, for turns that wait, run or have ended. The answer comes when the
    cancel is kept: from then on the turn can only end as cancelled, whatever process dies. `steer` adds
    `text` to a running turn. It is refused with 409 where it comes too late (the answer is being given, or
    the turn has ended) or too early (the turn waits), and with 422 where `text` is empty. `approve` and
    `deny` answer the tool call whose `key` came with `tool.waiting`, or all that wait for a person. `result`
    says what came of a call that the client made (`for_client`). They are refused with 409 where no such call
    waits. All are refused with 404 where the user has no such turn.
    """

    subject: ClassVar[str] = "turn.control.*"
    last_part: ClassVar[str] = "turn_id"

    user: User
    turn_id: TurnId = ""
    """May be left out: the subject says it, and goes before what is written here."""
    action: Literal["cancel", "steer", "approve", "deny", "result"]
    """What to do."""
    text: str = ""
    """For `steer`: what to add. For `result`: what the tool returned."""
    call: str = ""
    """For `approve`, `deny` and `result`: the key of a waiting tool call. Empty: all that wait for a
    person."""


class ControlHere(Request[Controlled], frozen=True, kw_only=True):
    """orchestrator -> orchestrator: a control for the process that runs the turn.

    Internal: it may change with any version.
    """

    subject: ClassVar[str] = "orchestrator.control"
    last_part: ClassVar[str] = "holder"

    holder: str
    """The id of the process that runs the turn."""
    turn_id: TurnId
    control: Control
    """The control as it came."""
