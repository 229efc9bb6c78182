"""What every phase is given beside the turn."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from services.orchestrator.approvals import Approvals
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.ahead import Ahead
from services.orchestrator.ports import Announcements, Documents, Images, Memory, Model, Recipes, Tools
from services.orchestrator.recent import RecentTurns
from services.orchestrator.steering import Steering
from services.orchestrator.stopping import Stopping
from shared.events import LiveEvent


class Clock(Protocol):
    def __call__(self) -> datetime: ...


@dataclass(frozen=True)
class Limits:
    """From the settings."""

    context_passages: int
    context_budget_tokens: int
    history_turns: int
    approval_seconds: float
    """How long a tool call waits for a person."""


@dataclass(frozen=True)
class Deps:
    memory: Memory
    model: Model
    announcements: Announcements
    documents: Documents
    recent: RecentTurns
    images: Images
    tools: Tools
    recipes: Recipes
    limits: Limits
    clock: Clock
    # Of the turn that these are for:
    stopping: Stopping
    ahead: Ahead
    approvals: Approvals
    steering: Steering = field(default_factory=Steering)

    async def announce(self, turn: Turn, kind: type[LiveEvent], **fields: Any) -> Turn:
        """Sends the turn's next live event, and returns the turn with it."""
        event: Any = kind(index=turn.next_index, attempt=turn.attempt, **fields)
        await self.announcements.emit(turn.turn_id, event)
        return msgspec.structs.replace(turn, events=[*turn.events, event])


class Phase(Protocol):
    async def __call__(self, turn: Turn, deps: Deps) -> Turn: ...
