"""What is to be done for a turn. Each command names the signal in which it ends.

An effect that cannot be done for an unexpected reason ends in Broken.
"""

from typing import Literal

import msgspec

from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.turn.signals import TimerSignal
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Refused
from shared.contract.events import AnyLiveEvent, TurnRequested
from shared.contract.requests import Controlled, TurnRecord, TurnStatus


class FindRecord(msgspec.Struct, frozen=True):
    """Reads the turn's folder -> RecordFound."""

    turn_id: str


class ChooseRecipe(msgspec.Struct, frozen=True):
    """-> RecipeChosen, or Failed."""

    request: TurnRequested


class Begin(msgspec.Struct, frozen=True):
    """Sends the first event of an attempt, after all that was sent before -> Begun."""

    turn: Turn
    has_waited: bool
    """In the queue, where others may have sent something."""
    said_again: str | None
    """An answer that is kept from an earlier attempt, for readers who begin anew."""


class Announce(msgspec.Struct, frozen=True):
    """Sends live events in this order -> Announced."""

    turn_id: str
    events: list[AnyLiveEvent]


class RunPhase(msgspec.Struct, frozen=True):
    """-> PhaseReturned, PhaseCut or Failed; TimeUp after `seconds`."""

    phase: PhaseName
    turn: Turn
    """What the phase knows of it."""
    seconds: float


class ExtendPhase(msgspec.Struct, frozen=True):
    """TimeUp comes after so many more seconds."""

    seconds: float


class CutPhase(msgspec.Struct, frozen=True):
    """Stops the phase: in good order where an engine answers it, else at once."""


class Rejoin(msgspec.Struct, frozen=True):
    """Reads back what the phase has sent, and sends its end behind that -> Rejoined."""

    turn: Turn
    phase: PhaseName
    seconds: float
    """That it took."""


class SaveCheckpoint(msgspec.Struct, frozen=True):
    """Writes the turn into its lease, after all earlier checkpoints -> CheckpointWritten or LeaseLost."""

    number: int
    turn: Turn
    is_fence: bool = False
    """It need not be written where the lease is certainly still this process's."""


class WriteFolder(msgspec.Struct, frozen=True):
    """Writes the folder of a turn that ends otherwise than by its save phase -> FolderWritten."""

    turn: Turn
    status: TurnStatus
    error: str | None


class TellEnd(msgspec.Struct, frozen=True):
    """Tells readers and other services how the turn ended -> EndTold."""

    turn: Turn
    record: TurnRecord


class FreeLease(msgspec.Struct, frozen=True):
    """The session's next turn may run -> LeaseGivenUp or LeaseLost."""

    record: TurnRecord
    history_from: str
    """The first turn of the history that this one was given: the next one begins there as well."""


class HandBack(msgspec.Struct, frozen=True):
    """Any process may go on with the turn -> LeaseGivenUp or LeaseLost."""

    turn: Turn


class SendLater(msgspec.Struct, frozen=True):
    """-> `signal`, so many seconds later."""

    seconds: float
    signal: TimerSignal
    why: str = ""
    """The turn pauses until then: the reason, for the log."""


class CountAnswers(msgspec.Struct, frozen=True):
    """What was said to tool calls that a person has to allow."""

    answer: Literal["approved", "denied", "unanswered"]
    calls: int


class Reply(msgspec.Struct, frozen=True):
    asker: int
    answer: Controlled | Refused | bool | str | None
    """A tool call gets True or False, its client's text, or None where no answer came in time."""


Effect = (
    FindRecord
    | ChooseRecipe
    | Begin
    | Announce
    | Rejoin
    | SaveCheckpoint
    | WriteFolder
    | TellEnd
    | FreeLease
    | HandBack
)
"""What has to be done, however long what it needs is away."""
Command = Effect | RunPhase | ExtendPhase | CutPhase | SendLater | CountAnswers | Reply
