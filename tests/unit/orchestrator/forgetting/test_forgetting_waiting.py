"""Turns that wait for a person while something is forgotten: cancelled where they were given some of it."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.reading import read_record
from services.orchestrator.documents.rendering import METADATA, RESPONSE
from services.orchestrator.forgetting.affected_turns import CLEARED, Forgotten, waiting_turn_was_given
from services.orchestrator.recipes.recipe import Chosen, Recipe
from services.orchestrator.tools.built_in.hits import result_of
from services.orchestrator.tools.tool import ToolSource
from services.orchestrator.turn.approval import Approval, Asked
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import CallResult, Plan, PlannedCall
from shared.contract.events import SeenImage, SourcesFound
from tests.unit.orchestrator.forgetting.forgetting_room import (
    LATER,
    SECRET,
    World,
    files_with_it,
    forget,
    source,
    write,
)
from tests.unit.samples import AT, hit, passage, record, requested, row, turn

NOTE = PlannedCall(id="n", tool="notes.add")
WAITS = Asked(tool="notes.add", at=AT)
CHOSEN = Chosen(name="noting", version="1", recipe=Recipe(phases=["plan", "coordinate", "save"]))
GONE = Forgotten(turn_ids=frozenset(["t1"]), memory_ids=frozenset(["m1"]))
SESSION = Forgotten(session_id="kitchen", until=AT)


def waits(*calls: PlannedCall, asked: dict[str, Asked] | None = None, **more: Any) -> Turn:
    """Turn 7 in the garden, which wants to write a note."""
    fields: dict[str, Any] = {"request": requested("t7", user="alice", session_id="garden"), **more}
    return turn(
        "",
        chosen=CHOSEN,
        plans=[Plan(calls=[NOTE, *calls])],
        approval=Approval(asked={"1.n": WAITS} if asked is None else asked),
        **fields,
    )


def found(tool: str, *sources: ToolSource, **more: Any) -> CallResult:
    return CallResult(id="a", tool=tool, text="Something.", sources=list(sources), **more)


def searched(number: int, **more: Any) -> CallResult:
    result = result_of([hit(number, "My code", **more)], "")
    return found("turns.search", *result.sources)


@pytest.mark.parametrize(
    "given",
    [
        {"passages": [passage(1, SECRET)]},
        {"passages": [passage(9, "", kind="memory", id="m1", turn_id=None)]},
        {"sources": [source(1)]},
        {"events": [SourcesFound(index=1, sources=[source(1)])]},
        {"history": [row(3), row(1)]},
        {"earlier": ["t3", "t1"]},
        {"digest": "A code was said."},
        {"results": [searched(1)]},
        {"results": [searched(9, kind="memory", id="m1", turn_id=None)]},
        {"results": [found("files.read", ToolSource(name="response.md", turn_id="t1"))]},
        {"results": [found("research.fetch", ToolSource(name="a page", url="https://example.org"))]},
        {"results": [found("files.list")]},
    ],
)
def test_what_was_forgotten_may_have_been_given(given: dict[str, Any]) -> None:
    assert waiting_turn_was_given(waits(**given), GONE)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"passages": [passage(2, "plums")], "history": [row(3)], "earlier": ["t3"]},
        {"events": [SourcesFound(index=1, sources=[source(2)])]},
        {"results": [searched(2), found("calculator"), found("clock.now")]},
        {"results": [searched(9, kind="memory", id="m2", turn_id="t1"), found("x.y", is_error=True)]},
        {"results": [found("files.read", ToolSource(name="response.md", turn_id="t2"))]},
        {"images": [SeenImage(file_id="f1", name="a.png", description="A slip")]},
    ],
)
def test_what_was_given_may_be_something_else(given: dict[str, Any]) -> None:
    assert not waiting_turn_was_given(waits(**given), GONE)


def test_of_a_session_is_what_was_said_there_before() -> None:
    assert waiting_turn_was_given(waits(history=[row(1)]), SESSION)
    assert waiting_turn_was_given(waits(results=[searched(1)]), SESSION)
    assert not waiting_turn_was_given(waits(results=[searched(1, session_id="elsewhere")]), SESSION)
    assert not waiting_turn_was_given(waits(results=[searched(1, at=LATER)]), SESSION)
    read = ToolSource(name="response.md", turn_id="t2")
    assert waiting_turn_was_given(waits(results=[found("files.read", read)]), SESSION), (
        "nobody knows of which session"
    )
    read = msgspec.structs.replace(read, at=LATER)
    assert not waiting_turn_was_given(waits(results=[found("files.read", read)]), SESSION)


def test_a_call_that_was_made_beside_it_is_in_no_checkpoint() -> None:
    search = PlannedCall(id="s", tool="turns.search")
    other = PlannedCall(id="o", tool="notes.add")

    assert waiting_turn_was_given(waits(search), GONE)
    assert waiting_turn_was_given(waits(asked={}), GONE), "nobody was asked: it was made"
    assert not waiting_turn_was_given(waits(PlannedCall(id="c", tool="calculator")), GONE)
    assert not waiting_turn_was_given(waits(msgspec.structs.replace(search, after=["n"])), GONE), (
        "it comes later"
    )
    for answer, made in ((True, True), (False, False), (None, False)):
        ended = msgspec.structs.replace(WAITS, until=AT, answer=answer)
        assert waiting_turn_was_given(waits(other, asked={"1.n": WAITS, "1.o": ended}), GONE) is made


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(FolderDocuments(tmp_path / "turns"), tmp_path)


async def put_waiting(world: World, checkpoint: Turn) -> None:
    """Writes turn 1, which has the secret, and puts a waiting turn. Cancelled, that one writes the secret
    too, and names no source."""
    await write(world.documents, record(1, input=f"My code is {SECRET}"))
    world.running["t7"] = None
    world.checkpoints["t7"] = checkpoint

    async def ends(turn_id: str) -> None:
        said = f"It is {SECRET}"
        await write(world.documents, record(7, session_id="garden", status="cancelled", output=said))

    world.ends = ends


async def test_one_that_was_given_nothing_of_it_goes_on_waiting(world: World) -> None:
    await put_waiting(world, waits(passages=[passage(2, "plums")]))

    async with asyncio.timeout(5):
        receipt = await forget(world, "turn", "t1")

    assert (receipt.state, receipt.answers) == ("erased", [])
    assert world.cancelled == []
    assert list(world.running) == ["t7"]


async def test_one_that_was_given_some_of_it_is_cancelled_and_cleared(world: World, tmp_path: Path) -> None:
    await put_waiting(world, waits(earlier=["t1"]))

    receipt = await forget(world, "turn", "t1")

    assert (receipt.state, receipt.turns, receipt.answers) == ("erased", ["t1"], ["t7"])
    assert world.cancelled == ["t7"]
    assert not files_with_it(tmp_path)
    cleared = await read_record(world.documents, "t7")
    assert cleared is not None
    assert (cleared.status, cleared.input, cleared.output) == ("cancelled", "Hello", CLEARED)
    assert await world.documents.names("t7") == [METADATA, RESPONSE]
    assert (world.cleared, "t7" in world.traces, "t7" in world.told) == (["t7"], True, True)


async def test_wherever_it_breaks_off_what_was_cancelled_is_cleared(tmp_path: Path) -> None:
    whole = World(FolderDocuments(tmp_path / "whole"), tmp_path / "whole")
    await put_waiting(whole, waits(history=[row(1)]))
    await forget(whole, "session", "kitchen")

    for breaks_at in range(len(whole.steps)):
        folder = tmp_path / f"{breaks_at}"
        broken = World(FolderDocuments(folder), folder)
        await put_waiting(broken, waits(history=[row(1)]))
        broken.breaks_at = breaks_at

        receipt = await forget(broken, "session", "kitchen")

        assert (receipt.state, receipt.turns, receipt.answers) == ("erased", ["t1"], ["t7"]), breaks_at
        assert not files_with_it(folder), breaks_at
        assert broken.cancelled == ["t7"], breaks_at


async def test_an_answer_that_was_cleared_told_of_it_too(world: World) -> None:
    await put_waiting(world, waits(passages=[passage(2, "my code?", f"It is {SECRET}", session_id="x")]))
    answer = record(2, session_id="x", output=f"It is {SECRET}", sources=[source(1)])
    await write(world.documents, answer, [source(1)])

    receipt = await forget(world, "turn", "t1")

    assert world.cancelled == ["t7"]
    assert set(receipt.answers) == {"t2", "t7"}


@pytest.mark.parametrize(("passages", "cancelled"), [([1], ["t7"]), ([2], [])])
async def test_one_may_begin_to_wait_while_it_is_waited_for(
    world: World, passages: list[int], cancelled: list[str]
) -> None:
    checkpoint = waits(passages=[passage(number, "") for number in passages])
    await put_waiting(world, checkpoint)
    del world.checkpoints["t7"]
    looks: list[None] = []

    def begins_to_wait() -> bool:
        if world.steps[-1] == "keep forgotten":
            looks.append(None)
        if len(looks) == 3:
            world.checkpoints["t7"] = checkpoint
        return False

    world.running["t7"] = begins_to_wait

    async with asyncio.timeout(5):
        receipt = await forget(world, "turn", "t1")

    assert receipt.state == "erased"
    assert world.cancelled == cancelled
    assert len(looks) >= 3, "it was waited for until then"
