"""What every phase is given beside the turn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from services.orchestrator.domain.turn import Turn
from services.orchestrator.ports import Announcements, Documents, Memory, Model
from services.orchestrator.recent import RecentTurns
from shared.events import LiveEvent


class Clock(Protocol):
    def __call__(self) -> datetime: ...


@dataclass(frozen=True)
class Limits:
    """From the settings."""

    context_passages: int
    context_budget_tokens: int
    history_turns: int


@dataclass(frozen=True)
class Tools:
    memory: Memory
    model: Model
    announcements: Announcements
    documents: Documents
    recent: RecentTurns
    limits: Limits
    clock: Clock

    async def announce(self, turn: Turn, kind: type[LiveEvent], **fields: Any) -> Turn:
        """Sends the turn's next live event, and returns the turn with its index counted."""
        await self.announcements.emit(turn.turn_id, kind(index=turn.next_index, **fields))  # type: ignore[arg-type]
        return msgspec.structs.replace(turn, next_index=turn.next_index + 1)


class Phase(Protocol):
    async def __call__(self, turn: Turn, tools: Tools) -> Turn: ...
