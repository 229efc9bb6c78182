"""Orchestrators in a folder: real documents and dispatchers; leases, memory and model of a few lines."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.reading import EndedTurns
from services.orchestrator.documents.recent_turns import RecentTurns
from services.orchestrator.images.ports import Picture
from services.orchestrator.phases.deps import Clock, Deps, Limits
from services.orchestrator.phases.ports import StopSignal
from services.orchestrator.queue.item import Item, SessionKey
from services.orchestrator.queue.lease import Lease
from services.orchestrator.queue.memory_leases import MemoryLeases
from services.orchestrator.queue.peers import BEATS_UNTIL_DEAD
from services.orchestrator.queue.places import Pace, Places
from services.orchestrator.queue.turn_lease import TurnLease
from services.orchestrator.queue.turn_queue import TurnQueue
from services.orchestrator.recipes.recipe import ORDER
from services.orchestrator.recipes.toml import RecipeFiles
from services.orchestrator.running.checkpoints import Checkpoints, saved_turn
from services.orchestrator.running.controls import Controls
from services.orchestrator.running.current_turns import CurrentTurns
from services.orchestrator.running.dispatcher import Dispatcher
from services.orchestrator.running.effects import Effects
from services.orchestrator.running.places import place_announcer
from services.orchestrator.running.ports import MakeEvent
from services.orchestrator.running.run import TurnRun
from services.orchestrator.running.unclaimed import UnclaimedTurns
from services.orchestrator.tools.tool import Tool
from services.orchestrator.tools.toolbox import Toolbox
from services.orchestrator.turn.live_events import story_of
from services.orchestrator.turn.run_state import TimeLimits, run_state
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Refused, Transient
from shared.contract.events import AnyLiveEvent, Event, TurnRequested, Usage
from shared.contract.requests import (
    Control,
    Controlled,
    Generate,
    Generated,
    Passage,
    Recall,
    Recalled,
    TurnRow,
)
from tests.stack import ROOT
from tests.unit.samples import AT, requested

KITCHEN = ("alice", "kitchen")


class Shelf:
    """Holds what it was given; of `turns` the newest first."""

    def __init__(
        self, passages: Sequence[Passage] = (), turns: Sequence[TurnRow] = (), *, away: bool = False
    ) -> None:
        self._passages = list(passages)
        self._turns = list(turns)
        self._away = away
        self.asked = 0
        self.listed = 0

    async def recall(self, request: Recall) -> Recalled:
        self.asked += 1
        if self._away:
            raise Transient("nobody answers index.recall now")
        turns = self._turns if request.session_id is not None else None
        return Recalled(passages=self._passages[: request.limit], turns=turns)

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        self.listed += 1
        return self._turns[::-1]


class Parrot:
    """Answers with what was asked, or as it is told."""

    def __init__(self, act: Callable[[Generate], Generated | None] = lambda request: None) -> None:
        self.asked: list[Generate] = []
        self.continued: list[list[str]] = []
        """Of each: the turns that it continues."""
        self.aborted: list[str] = []
        self._act = act

    async def generate(
        self, request: Generate, stop: StopSignal, *, continues: Sequence[str] = ()
    ) -> Generated:
        self.asked.append(request)
        self.continued.append(list(continues))
        await asyncio.sleep(0)
        return self._act(request) or generated(request)

    async def count_tokens(self, texts: Sequence[str], engine: str, model: str | None) -> list[int]:
        return [len(text.split()) for text in texts]

    async def abort(self, request_id: str) -> None:
        self.aborted.append(request_id)


class Talker(Parrot):
    """Goes on until it is told to stop; then it has said `In Lis`."""

    def __init__(self) -> None:
        super().__init__()
        self.talks = asyncio.Event()

    async def generate(
        self, request: Generate, stop: StopSignal, *, continues: Sequence[str] = ()
    ) -> Generated:
        self.asked.append(request)
        self.talks.set()
        with stop.listened_to():
            await stop.wait()
        return generated(request, text="In Lis", pieces=[6], finish_reason="abort")


class Album:
    """Images of anybody; those that are not in it are not there."""

    def __init__(self, **names: str) -> None:
        self._names = names

    async def picture(self, user: str, file_id: str) -> Picture:
        if file_id not in self._names:
            raise Refused(404, f"there is no file {file_id}")
        return Picture(name=self._names[file_id], data_url=f"data:image/png;base64,{file_id}")


class Announced:
    """Keeps what was said on each turn's stream, by index; the first one counts."""

    def __init__(self) -> None:
        self.events: dict[str, dict[int, AnyLiveEvent]] = {}

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        self.events.setdefault(turn_id, {}).setdefault(event.index, event)

    async def join(self, turn_id: str, known: Sequence[AnyLiveEvent], make: MakeEvent) -> list[AnyLiveEvent]:
        joined = story_of([*known, *self.events.get(turn_id, {}).values()])
        if (event := make(joined)) is not None:
            await self.emit(turn_id, event)
            joined.append(event)
        return joined

    def of(self, turn_id: str) -> list[str]:
        events = self.events[turn_id]
        return [events[index].type for index in sorted(events)]


class Wishes:
    """What is set for sessions."""

    def __init__(self) -> None:
        self.recipes: dict[SessionKey, str] = {}
        self.away = 0
        """How often it does not answer yet."""
        self.asked = 0

    async def recipe_of(self, user: str, session_id: str) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise Transient("the bucket cannot be read", retry_in=0.01)
        return self.recipes.get((user, session_id), "")

    async def sessions_of(self, user: str) -> list[str]:
        return sorted(session_id for owner, session_id in self.recipes if owner == user)

    async def keep(self, user: str, session_id: str, recipe: str, at: datetime) -> None:
        self.recipes[(user, session_id)] = recipe


class Office:
    """Outcomes, each message id once."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Event] = {}
        self.told = 0
        self.left: list[int] = []
        self.refused: list[int] = []
        self.news = asyncio.Condition()

    async def publish(self, event: Event) -> None:
        async with self.news:
            self.told += 1
            self.outcomes.setdefault(event.message_id, event)
            self.news.notify_all()

    async def leave_queue(self, turn_number: int) -> None:
        self.left.append(turn_number)

    async def refuse(self, turn_number: int, request: TurnRequested) -> None:
        self.refused.append(turn_number)

    async def of(self, turn_id: str) -> Event:
        async with self.news:
            await self.news.wait_for(lambda: self._of(turn_id))
        return self._of(turn_id)[0]

    def _of(self, turn_id: str) -> list[Event]:
        return [event for event in self.outcomes.values() if event.about == turn_id]


class Room:
    """Orchestrators that share everything but their memory; `first` and `second` are their dispatchers."""

    def __init__(
        self,
        folder: Path,
        memory: Shelf,
        model: Parrot,
        *,
        timeout: float = 30.0,
        tools: Sequence[Tool] = (),
        recipes: Path = ROOT / "recipes",
        clock: Clock = lambda: AT,
        approval_seconds: float = 60.0,
        concurrency: int = 4,
        images: Album | None = None,
    ) -> None:
        self._clock = clock
        self._approval_seconds = approval_seconds
        self._concurrency = concurrency
        self._images = images or Album()
        self.folder = folder
        self.tools = tools
        self.recipes = RecipeFiles(recipes, ROOT / "roles.toml", "direct")
        self.documents = FolderDocuments(folder)
        self.announced = Announced()
        self.memory = memory
        self.model = model
        self.settings = Wishes()
        self.leases = MemoryLeases()
        self.office = Office()
        self.archive = EndedTurns(self.documents)
        self._limits = TimeLimits(turn=1000.0, phases=dict.fromkeys(ORDER, timeout))
        self._tasks: list[asyncio.Task[None]] = []
        self.arriving: Callable[[], object] | None = None
        self.first, self.turns, self.controls = self._orchestrator("first", model)

    def second(self, model: Parrot | None = None) -> Dispatcher:
        """Another orchestrator, that knows nothing yet but the leases."""
        dispatcher, _, _ = self._orchestrator(f"later-{len(self._tasks)}", model or self.model)
        for session, stored in self.leases.stored.items():
            dispatcher.queue.see_lease(session, stored.lease, stored.revision)
        return dispatcher

    def lose_the_others(self, dispatcher: Dispatcher) -> None:
        """So many own heartbeats come back to it, and none of another process, that those are dead."""
        for _ in range(1 + BEATS_UNTIL_DEAD):
            dispatcher.queue.see_heartbeat(dispatcher.queue.own)

    def lease_of(self, session: SessionKey = KITCHEN) -> Lease:
        return self.leases.stored[session].lease

    def saved(self, session: SessionKey = KITCHEN) -> Turn | None:
        """The session's turn as it is in its lease."""
        return saved_turn(self.leases.stored[session].checkpoint)

    async def write_lease(self, lease: Lease, turn: Turn | None = None) -> None:
        """Over whatever is there, as a process does that was faster."""
        stored = self.leases.stored.get(KITCHEN)
        checkpoint = b"" if turn is None else msgspec.json.encode(turn)
        await self.leases.write(KITCHEN, lease, checkpoint, over=stored.revision if stored else 0)

    def _orchestrator(self, own: str, model: Parrot) -> tuple[Dispatcher, CurrentTurns, Controls]:
        deps = Deps(
            memory=self.memory,
            model=model,
            documents=self.documents,
            recent=RecentTurns(self.documents),
            limits=Limits(
                context_passages=6,
                context_budget_tokens=1500,
                history_turns=6,
                history_budget_tokens=8000,
                approval_seconds=self._approval_seconds,
            ),
            clock=self._clock,
            images=self._images,
            tools=Toolbox(self.tools),
            recipes=self.recipes,
        )
        unclaimed = UnclaimedTurns(deps, self.announced, self.office)

        def make_run(turn: Turn, lease: TurnLease[TurnRequested], has_waited: bool) -> TurnRun:
            effects = Effects(deps, self.announced, self.settings, self.office, Checkpoints(lease))
            return TurnRun(run_state(turn, self._limits, has_waited=has_waited), effects)

        queue, pace = TurnQueue[TurnRequested](own, self.leases), Pace(self._concurrency)
        dispatcher = Dispatcher(
            queue, make_run, unclaimed, self.documents, deps.clock, pace, concurrency=self._concurrency
        )
        places = Places(queue, pace, place_announcer(self.announced))
        self.leases.readers.append(queue.see_lease)
        self._tasks.append(asyncio.create_task(dispatcher.run()))
        current = CurrentTurns(queue, places, self.documents, self._is_behind)
        return dispatcher, current, Controls(dispatcher, current, self.documents, unclaimed, nobody)

    async def _is_behind(self) -> bool:
        """Where `arriving` is set, the queue is read up to now while this is asked."""
        if (arriving := self.arriving) is not None:
            self.arriving = None
            arriving()
        return False

    async def hand_in(self, number: int, said: str = "Hello", **more: Any) -> Event:
        """The outcome of a turn that the first orchestrator sees."""
        return await self.put(self.first, number, said, **more)

    def put(
        self, dispatcher: Dispatcher, number: int, said: str = "Hello", **more: Any
    ) -> Coroutine[Any, Any, Event]:
        request = requested(more.pop("turn_id", f"t{number}"), said, user=more.pop("user", "alice"), **more)
        seen_at = asyncio.get_running_loop().time()
        dispatcher.queue.see_turn(Item(number=number, request=request, requested_at=AT, seen_at=seen_at))
        return self.office.of(request.turn_id)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def nobody(holder: str, request: Control) -> Controlled:
    raise Transient("nobody answers")


def generated(request: Generate, **more: Any) -> Generated:
    text = more.pop("text", request.question)
    fields: dict[str, Any] = {"text": text, "finish_reason": "stop", "pieces": [1, len(text) - 1], **more}
    return Generated(
        model="parrot",
        usage=Usage(output_tokens=1),
        next_index=request.first_index + len(fields["pieces"]),
        first_token_seconds=0.1,
        seconds=0.2,
        **fields,
    )
