"""A process that runs a turn on paper: what it has still to do."""

from collections import deque
from typing import Literal

from services.orchestrator.recipes.recipe import ORDER, PhaseName
from services.orchestrator.turn.commands import (
    Command,
    FreeLease,
    HandBack,
    RunPhase,
    SaveCheckpoint,
    WriteFolder,
)
from services.orchestrator.turn.run_state import RunState, TimeLimits, run_state
from services.orchestrator.turn.signals import Signal
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import PlannedCall

_LIMITS = TimeLimits(turn=1e9, phases=dict.fromkeys(ORDER, 1e9))


class Process:
    """Has the turn in hand, or believes so."""

    def __init__(self, name: int, turn: Turn, heard: dict[str, list[PhaseName]], *, has_waited: bool) -> None:
        self.name = name
        self.state: RunState = run_state(turn, _LIMITS, has_waited=has_waited)
        self.heard = heard
        """The phases that ended and knew of each text."""
        self.effects: list[Command] = []
        self.lease_writes: deque[SaveCheckpoint | FreeLease | HandBack] = deque()
        self.timers: list[Signal] = []
        self.phase: RunPhase | None = None
        self.is_cut = False
        self.calls: dict[str, Literal["asked", "allowed", "ended"]] = {}
        """Of the phase that runs, by key."""
        self.streamed: list[str] = []
        """What an engine has sent in the phase that runs."""
        self.asked: dict[int, Signal] = {}
        self.has_lost_the_lease = False

    @property
    def is_committing(self) -> bool:
        """It writes the folder: it is not paused between the last write of its lease and that."""
        phase = self.phase
        return (phase is not None and phase.phase == "save") or any(
            isinstance(effect, WriteFolder) for effect in self.effects
        )

    def next_call(self) -> PlannedCall | None:
        assert self.phase is not None
        planned = self.phase.turn.planned
        return next((call for call in planned if self.key(call) not in self.calls), None)

    def key(self, call: PlannedCall) -> str:
        assert self.phase is not None
        return f"{len(self.phase.turn.plans)}.{call.id}"
