"""An orchestrator in a folder: real documents, and a memory and a model of a few lines."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.orchestrator.adapters.folder import FolderDocuments
from services.orchestrator.handlers import Archive, Orchestrator
from services.orchestrator.phases.tools import Limits, Tools
from services.orchestrator.recent import RecentTurns
from shared.deliveries import Delivery
from shared.errors import Transient
from shared.events import AnyLiveEvent, Event, Usage
from shared.replies import Generate, Generated, Hit, TurnRow
from tests.unit.samples import AT, requested


class Shelf:
    """Holds what it was given."""

    def __init__(self, hits: Sequence[Hit] = (), *, away: bool = False) -> None:
        self._hits = list(hits)
        self._away = away

    async def search(self, user: str, query: str, *, limit: int) -> list[Hit]:
        if self._away:
            raise Transient("nobody answers index.search now")
        return self._hits[:limit]

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        return []

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        return []


class Parrot:
    """Answers with what was asked, or as it is told."""

    def __init__(self, act: Callable[[Generate], Generated | None] = lambda request: None) -> None:
        self.asked: list[Generate] = []
        self._act = act

    async def generate(self, request: Generate) -> Generated:
        self.asked.append(request)
        await asyncio.sleep(0)
        return self._act(request) or generated(request)


class Announced:
    """Keeps what was said on each turn's stream, by index; the first one counts."""

    def __init__(self) -> None:
        self.events: dict[str, dict[int, AnyLiveEvent]] = {}

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        self.events.setdefault(turn_id, {}).setdefault(event.index, event)

    async def next_index(self, turn_id: str) -> int:
        return max(self.events.get(turn_id, {}), default=-1) + 1

    def of(self, turn_id: str) -> list[str]:
        events = self.events[turn_id]
        return [events[index].type for index in sorted(events)]


class Room:
    """An orchestrator and all that it touches."""

    def __init__(self, folder: Path, memory: Shelf, model: Parrot, *, timeout: float = 30.0) -> None:
        self.documents = FolderDocuments(folder)
        self.announced = Announced()
        self.model = model
        self.archive = Archive(self.documents)
        self._orchestrator = Orchestrator(
            Tools(
                memory=memory,
                model=model,
                announcements=self.announced,
                documents=self.documents,
                recent=RecentTurns(),
                limits=Limits(context_passages=6, context_budget_tokens=1500, history_turns=6),
                clock=lambda: AT,
            ),
            turn_timeout_seconds=timeout,
        )

    async def hand_in(
        self, number: int, said: str = "Hello", *, attempt: int = 1, is_last: bool = False, **more: Any
    ) -> Event:
        request = requested(f"t{number}", said, user=more.pop("user", "alice"), **more)
        delivery = Delivery(sequence=number, attempt=attempt, is_last=is_last, stored_at=AT)
        (outcome,) = await self._orchestrator.on_turn_requested(request, delivery)
        return outcome


def generated(request: Generate, **more: Any) -> Generated:
    fields: dict[str, Any] = {"text": request.question, "finish_reason": "stop", **more}
    return Generated(
        model="parrot",
        usage=Usage(output_tokens=1),
        next_index=request.first_index + 2,
        first_token_seconds=0.1,
        seconds=0.2,
        **fields,
    )
