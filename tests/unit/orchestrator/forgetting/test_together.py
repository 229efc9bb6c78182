"""Requests that wait at the same time are carried out together, each with a receipt of its own."""

from pathlib import Path

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.reading import read_record
from services.orchestrator.forgetting.affected_turns import CLEARED
from shared.contract.events import ForgetRequested, Source
from tests.unit.orchestrator.forgetting.forgetting_room import (
    SECRET,
    World,
    files_with_it,
    forget_all,
    order_of,
    source,
    write,
)
from tests.unit.samples import record


def memory(name: str, quote: str = SECRET) -> Source:
    return source(1, kind="memory", id=name, quote=quote)


async def world_of(folder: Path) -> World:
    """Turn 1 is about to be forgotten, with the memories m1 to m3 of alice. Turn 5 is bob's."""
    documents = FolderDocuments(folder / "turns")
    await write(documents, record(1, input=SECRET))
    await write(documents, record(2, output=SECRET, sources=[memory("m1")]), [memory("m1"), memory("m2")])
    await write(documents, record(3, output=SECRET, sources=[source(1)]), [source(1)])
    await write(documents, record(4, output="plums"), [memory("m9", "plums")])
    await write(documents, record(5, user="bob", output=SECRET, sources=[memory("m1")]), [memory("m1")])
    return World(documents, folder)


def orders() -> list[ForgetRequested]:
    return [
        order_of("memory", "m1", forget_id="f1"),
        order_of("memory", "m1", forget_id="f2", user="bob"),
        order_of("turn", "t1", forget_id="f3"),
        *(order_of("memory", name, forget_id=name) for name in ("m2", "m3")),
    ]


async def check(world: World, folder: Path) -> None:
    assert not files_with_it(folder)
    for turn_id in ("t2", "t3", "t5"):
        cleared = await read_record(world.documents, turn_id)
        assert cleared is not None
        assert cleared.output == CLEARED
    assert len(await world.documents.names("t4")) == 4
    receipts = {forget_id: (one.state, one.turns, one.answers) for forget_id, one in world.receipts.items()}
    assert receipts == {
        "f1": ("erased", [], ["t2"]),
        "f2": ("erased", [], ["t5"]),
        "f3": ("erased", ["t1"], ["t3"]),
        "m2": ("erased", [], ["t2"]),
        "m3": ("erased", [], []),
    }


async def test_turns_and_memories_of_a_user_are_removed_once_for_all(tmp_path: Path) -> None:
    world = await world_of(tmp_path)

    await forget_all(world, orders())

    await check(world, tmp_path)
    for step in ("traces", "announce", "clear", "keys"):
        assert world.steps.count(step) == 2, f"{step}: once for alice, once for bob"
    removed = {
        forget_id: sum(store.removed for store in one.stores) for forget_id, one in world.receipts.items()
    }
    assert removed == {"f1": 0, "f2": 0, "f3": 1, "m2": 0, "m3": 0}


async def test_wherever_they_break_off_all_of_them_end_whole(tmp_path: Path) -> None:
    whole = await world_of(tmp_path / "whole")
    await forget_all(whole, orders())

    for breaks_at in range(0, len(whole.steps), 3):
        folder = tmp_path / f"{breaks_at}"
        broken = await world_of(folder)
        broken.breaks_at = breaks_at

        await forget_all(broken, orders())

        assert len(broken.steps) > len(whole.steps), "it was broken off"
        await check(broken, folder)


async def test_a_session_and_all_of_a_user_go_alone(tmp_path: Path) -> None:
    world = await world_of(tmp_path)

    await forget_all(world, [*orders(), order_of("session", "kitchen", forget_id="f9")])

    assert world.steps.count("traces") == 3
    assert world.receipts["f9"].turns == ["t2", "t3", "t4"]
