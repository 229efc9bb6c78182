"""The one state of a turn that runs here: the turn, and how its run stands. Only `advance` changes it."""

from typing import Literal

import msgspec

from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.turn.commands import Command, Reply
from services.orchestrator.turn.signals import Failure
from services.orchestrator.turn.state import Turn
from shared.contract.events import WhyCancelled
from shared.contract.requests import TurnRecord, TurnStatus

replaced = msgspec.structs.replace
WhyStopped = WhyCancelled | Literal["timeout", "handed_back"]


class TimeLimits(msgspec.Struct, frozen=True):
    """Seconds."""

    turn: float
    phases: dict[PhaseName, float]


class Looking(msgspec.Struct, frozen=True):
    """Whether the turn's folder is there already."""

    has_to_be_there: bool = False
    """Another process wrote it first."""


class Choosing(msgspec.Struct, frozen=True):
    """Its recipe is looked up."""


class Beginning(msgspec.Struct, frozen=True):
    """The first event of the attempt is sent."""

    failure: Failure | None = None
    """The attempt is over as soon as that is done."""


class Opening(msgspec.Struct, frozen=True):
    """A phase is announced."""

    phase: PhaseName
    heard: int
    """Of the texts that were added to the turn: what comes now, the phase does not know."""


class Working(msgspec.Struct, frozen=True):
    """A phase runs."""

    phase: PhaseName
    seconds: float
    """That it may take at most, without waiting for a person."""
    waited_before: float = 0.0
    """Seconds in which the turn had waited for a person before this phase."""
    is_cut: bool = False
    """It was told to stop."""


class Closing(msgspec.Struct, frozen=True):
    """The end of a phase is announced. What it found is in the turn."""

    phase: PhaseName


class Keeping(msgspec.Struct, frozen=True):
    """What tools have done is written into the lease. No phase begins before."""

    checkpoint: int


class Rejoining(msgspec.Struct, frozen=True):
    """What a phase had sent until it broke off is read back."""

    phase: PhaseName
    failure: Failure | None
    """None: it was told to stop."""


class Fencing(msgspec.Struct, frozen=True):
    """The lease is checked once more: a process that has lost it must not write the folder."""

    checkpoint: int


class Pausing(msgspec.Struct, frozen=True):
    """Until the next attempt."""

    checkpoint: int
    """The pause begins when this one is written."""
    seconds: float
    why: str


class Ending(msgspec.Struct, frozen=True):
    """The folder is written, once this checkpoint is."""

    checkpoint: int
    status: TurnStatus
    error: str | None


class Telling(msgspec.Struct, frozen=True):
    """The turn has ended. All others are told, and the lease is freed."""

    record: TurnRecord


class HandingBack(msgspec.Struct, frozen=True):
    """Another process shall go on."""


class Over(msgspec.Struct, frozen=True):
    """The lease is given up or lost. Nothing is done for the turn here any more."""

    record: TurnRecord | None = None


Stage = (
    Looking
    | Choosing
    | Beginning
    | Opening
    | Working
    | Closing
    | Keeping
    | Rejoining
    | Fencing
    | Pausing
    | Ending
    | Telling
    | HandingBack
    | Over
)


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    turn: Turn
    """What a checkpoint keeps. All the rest ends with this run."""
    limits: TimeLimits
    has_waited: bool
    """In the queue, before this run."""
    answer: str
    """What the last phase that ended has left of an answer: a later attempt goes on with that."""
    stop: WhyStopped | None = None
    """Why it was told to stop. The first reason counts."""
    stage: Stage = Looking()

    is_answering: bool = False
    """The phase gives the answer: no steering is heard any more."""
    calls: dict[str, int | None] = {}
    """Tool calls under way by key, with the asker while a person has to allow it. None: it is being made."""
    too_long: PhaseName | None = None
    """The phase whose time was over."""

    checkpoints: int = 0
    """Asked for so far; each has its number."""
    written: int = 0
    """The last one that is in the lease."""
    promises: tuple[tuple[int, Reply], ...] = ()
    """Replies that are due when a checkpoint is written."""
    cancels: tuple[Reply, ...] = ()
    """Cancels that are answered when it is certain how the turn ends: so, where that is as cancelled."""

    @property
    def phase(self) -> PhaseName | None:
        """The one that runs."""
        match self.stage:
            case Opening(phase=phase) | Working(phase=phase) | Closing(phase=phase) | Rejoining(phase=phase):
                return phase
            case _:
                return None

    @property
    def record(self) -> TurnRecord | None:
        """How the turn ended, once that is certain."""
        return self.stage.record if isinstance(self.stage, Telling | Over) else None

    @property
    def is_committing(self) -> bool:
        """It may have ended, or is being written down or given up: too late to change anything."""
        too_late = Looking | Ending | Telling | HandingBack | Over
        return self.phase == "save" or isinstance(self.stage, too_late)


Step = tuple[RunState, list[Command]]


def run_state(turn: Turn, limits: TimeLimits, *, has_waited: bool) -> RunState:
    """Of a turn whose lease this process has just taken. A stop that was kept still holds."""
    return RunState(turn=turn, limits=limits, has_waited=has_waited, answer=turn.output, stop=turn.stopped)


def with_stop(state: RunState, why: WhyStopped) -> RunState:
    """A stop that ends the turn is kept in it: a process that takes it over goes on with ending it."""
    if why == "timeout" or why == "handed_back":
        return replaced(state, stop=why)
    return replaced(state, stop=why, turn=replaced(state.turn, stopped=why))
