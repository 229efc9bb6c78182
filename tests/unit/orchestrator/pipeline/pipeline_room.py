"""Rooms whose model says what it is told to in each phase."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from services.orchestrator.phases.ports import StopSignal
from services.orchestrator.recipes.recipe import PHASES
from services.orchestrator.tools.tool import Caller, Tool, ToolResult, ToolSource, make_tool
from shared.contract.events import Event, OutputDelta, PhaseStarted
from shared.contract.requests import (
    Generate,
    Generated,
    GetDocument,
    GetTurn,
    Passage,
    Recall,
    Recalled,
    TurnRecord,
)
from tests.unit.orchestrator.orchestrator_room import Announced, Parrot, Room, Shelf, generated
from tests.unit.samples import passage

ANALYSIS = {"intent": "question", "resolved": "Where does Mira live?", "queries": ["Mira's home"]}
PROCEED = {"decision": "proceed"}
DONE = {"goals": ["say where"], "is_done": True}
APPROVE = {"decision": "approve"}
THOUGHTS = {"Analysis": ANALYSIS, "Gate": PROCEED, "Plan": DONE, "Verdict": APPROVE}
SAID = {**THOUGHTS, "Answer": "In Lisbon [turn 7].", "Look": "A cat."}


class Thinker(Parrot):
    """Says the next of what it was given for each kind of thought, and the last one again and again."""

    def __init__(self, **thoughts: Any) -> None:
        super().__init__(self._say)
        self.stream: Announced | None = None
        """Where its words go, as those of an engine do."""
        self._left = {
            kind: list(said) if isinstance(said, list) else [said]
            for kind, said in {**SAID, **thoughts}.items()
        }

    def _say(self, request: Generate) -> Generated:
        plain = "Look" if request.role == "EYES" else "Answer"
        kind = plain if request.schema is None else str(request.schema["title"])
        left = self._left[kind]
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, Exception):
            raise said
        text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        pieces = [] if request.stream_to is None or not text else [len(text)]
        return generated(request, text=text, pieces=pieces)

    async def generate(
        self, request: Generate, stop: StopSignal, *, continues: Sequence[str] = ()
    ) -> Generated:
        generated = await super().generate(request, stop, continues=continues)
        await self._send(request, generated)
        return generated

    async def _send(self, request: Generate, generated: Generated) -> None:
        if self.stream is not None and request.stream_to is not None and generated.text:
            turn_id = request.request_id.partition(":")[0]
            delta = OutputDelta(index=request.first_index, attempt=request.attempt, text=generated.text)
            await self.stream.emit(turn_id, delta)

    def roles(self) -> list[str]:
        return [request.role for request in self.asked]


class Halt:
    """One phase, in which a turn stays the first time until it is let go."""

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def at(self, phase: str) -> None:
        if phase == self.phase and not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()

    async def until_in(self, room: Room, number: int = 42) -> None:
        """Until the turn is there; a search of memory may have begun before."""
        await self.reached.wait()
        async with asyncio.timeout(5):
            while self.phase not in phases_of(room, number):  # noqa: ASYNC110  # a stream has no event for it
                await asyncio.sleep(0)


class Halting(Thinker):
    """Stays where it is told to."""

    def __init__(self, halt: Halt, **thoughts: Any) -> None:
        super().__init__(**thoughts)
        self._halt = halt

    async def generate(
        self, request: Generate, stop: StopSignal, *, continues: Sequence[str] = ()
    ) -> Generated:
        self.asked.append(request)
        await self._halt.at(request.phase)
        generated = self._say(request)
        await self._send(request, generated)
        return generated


class HaltingShelf(Shelf):
    """In gather."""

    def __init__(self, halt: Halt, passages: Sequence[Passage] = ()) -> None:
        super().__init__(passages)
        self._halt = halt

    async def recall(self, request: Recall) -> Recalled:
        await self._halt.at("gather")
        return await super().recall(request)


def halting_tool(name: str, halt: Halt, called: list[str]) -> Tool:
    """In coordinate."""

    async def run(arguments: Texts, caller: Caller) -> str:
        called.append(arguments.text)
        await halt.at("coordinate")
        return f"found {arguments.text}"

    return make_tool(name, "Does it.", "read", Texts, run)


class Texts(msgspec.Struct):
    text: str = ""


def tool(name: str, act: Callable[[str], ToolResult | str]) -> Tool:
    async def run(arguments: Texts, caller: Caller) -> ToolResult | str:
        await asyncio.sleep(0)
        return act(arguments.text)

    return make_tool(name, "Does it.", "read", Texts, run)


LOOKUP = tool(
    "memory.search",
    lambda text: ToolResult(
        text=f"[turn 3] found {text}", sources=[ToolSource(name="turn 3", turn_id="t3", quote="Mira moved.")]
    ),
)


class Rooms:
    """Each with a folder, recipes and tools of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Room] = []

    def __call__(
        self,
        model: Parrot,
        *,
        tools: Sequence[Tool] = (LOOKUP,),
        recipe: str = "",
        memory: Shelf | None = None,
        **more: Any,
    ) -> Room:
        folder = self._folder / f"room-{len(self._made)}"
        (folder / "recipes").mkdir(parents=True)
        (folder / "recipes" / "direct.toml").write_text('phases = ["gather", "synthesis", "save"]\n')
        (folder / "recipes" / "standard.toml").write_text(recipe or STANDARD)
        memory = memory or Shelf([passage(7, "Mira lives in Lisbon.")])
        room = Room(folder / "turns", memory, model, tools=tools, recipes=folder / "recipes", **more)
        if isinstance(model, Thinker):
            model.stream = room.announced
        self._made.append(room)
        return room

    async def close(self) -> None:
        for room in self._made:
            await room.close()


def recipe(first: str = "", bounds: str = "") -> str:
    phases = ", ".join(f'"{phase}"' for phase in PHASES)
    return f'phases = [{phases}]\ntools = ["memory.*"]\n{first}\n[bounds]\n{bounds}\n'


STANDARD = recipe()


async def think(room: Room, number: int = 42, said: str = "Where does she live?", **more: Any) -> Event:
    return await room.hand_in(number, said, recipe="standard", **more)


async def record_of(room: Room, number: int = 42) -> TurnRecord:
    return await room.archive.get_turn(GetTurn(user="alice", turn_id=f"t{number}"))


async def document_of(room: Room, number: int = 42) -> str:
    asked = GetDocument(user="alice", turn_id=f"t{number}", name="context.md")
    return (await room.archive.get_document(asked)).text


def events_of(room: Room, number: int = 42) -> list[Any]:
    events = room.announced.events[f"t{number}"]
    return [events[index] for index in sorted(events)]


def phases_of(room: Room, number: int = 42) -> list[str]:
    return [event.phase for event in events_of(room, number) if isinstance(event, PhaseStarted)]
