"""What a phase is given: the turn as it stands, what all phases use, and a door to its run."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.recent_turns import RecentTurns
from services.orchestrator.images.ports import Images
from services.orchestrator.phases.early_search import EarlySearch
from services.orchestrator.phases.ports import Memory, Model, StopSignal
from services.orchestrator.recipes.ports import Recipes
from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.tools.ports import Tools
from services.orchestrator.turn.found import Found
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import ModelCall
from shared.contract.events import LiveEvent


class Clock(Protocol):
    def __call__(self) -> datetime: ...


@dataclass(frozen=True)
class Limits:
    """From the settings."""

    context_passages: int
    context_budget_tokens: int
    history_turns: int
    history_budget_tokens: int
    approval_seconds: float
    """How long a tool call waits for a person."""


@dataclass(frozen=True)
class Deps:
    memory: Memory
    model: Model
    documents: Documents
    recent: RecentTurns
    images: Images
    tools: Tools
    recipes: Recipes
    limits: Limits
    clock: Clock


class RunningPhase(Protocol):
    """A phase that runs, as it sees its own run. The answers come from the one state of the turn."""

    @property
    def name(self) -> PhaseName: ...
    @property
    def stop(self) -> StopSignal: ...
    @property
    def early_search(self) -> EarlySearch:
        """Of the turn: what one phase begins, a later one takes."""
        ...

    @property
    def next_index(self) -> int:
        """The first index on the turn's live stream that is still free."""
        ...

    @property
    def calls(self) -> list[ModelCall]:
        """What it has asked a model, for it to add to."""
        ...

    @property
    def notes(self) -> list[str]:
        """Where it went on with a default, and why; for it to add to."""
        ...

    async def announce(self, kind: type[LiveEvent], **fields: Any) -> None:
        """Sends the turn's next live event. Raises Transient."""
        ...

    def may_answer(self, heard: int) -> bool:
        """Called before it answers the user, with the number of steering messages that it knows.

        False where more was said meanwhile. Where it may, nothing more is heard.
        """
        ...

    def call(
        self, key: str, tool: str, answer_seconds: float | None, *, for_client: bool
    ) -> AbstractAsyncContextManager[bool | str | None]:
        """Around a tool call: whether it may be made, or what came of it at the turn's client. None where
        neither was said in time.

        `answer_seconds`: how long it waits for a person or the client; None where it needs neither.
        """
        ...


class Phase(Protocol):
    async def __call__(self, turn: Turn, deps: Deps, phase: RunningPhase) -> Found: ...
