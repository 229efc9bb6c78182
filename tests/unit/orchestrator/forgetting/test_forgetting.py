"""A request to forget, over real documents. Interrupted at any step, it is completed by the next try."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.documents.reading import read_record
from services.orchestrator.documents.rendering import EVENTS, METADATA, RESPONSE
from services.orchestrator.forgetting.affected_turns import CLEARED, Forgotten
from shared.contract.events import ForgetScope, Origin, SeenImage, SourcesFound, encode
from shared.contract.requests import StoreReceipt
from tests.contracts.orchestrator.images_room import pieces, png_with
from tests.unit.orchestrator.forgetting.forgetting_room import (
    LATER,
    SECRET,
    World,
    all_in,
    files_with_it,
    forget,
    source,
    write,
)
from tests.unit.samples import AT, record

AFTERWARDS = LATER + timedelta(hours=1)


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocuments:
    return FolderDocuments(tmp_path / "turns")


@pytest.fixture
def world(documents: FolderDocuments, tmp_path: Path) -> World:
    return World(documents, tmp_path)


async def put(world: World, file_id: str, *, user: str = "alice", half: bool = False) -> None:
    """An image with the secret in its metadata, or its first half."""
    data = png_with(SECRET)
    step = len(data) - 1 if half else len(data)
    await world.files.put(pieces(data, user=user, file_id=file_id, name=f"{SECRET}.png", step=step)[0])


def image(file_id: str) -> SeenImage:
    return SeenImage(file_id=file_id, name=f"{SECRET}.png", description=f"A slip with {SECRET} on it")


async def write_story(world: World) -> None:
    """Turn 1 has a secret and an image of it. Turn 2 answers with it. Turn 3 was only given it. Turn 4 is
    about plums."""
    documents = world.documents
    await put(world, "file-1")
    await write(documents, record(1, input=f"My code is {SECRET}", images=[image("file-1")]))
    answer = record(
        2,
        session_id="other",
        input="What is my code?",
        output=f"It is {SECRET}",
        sources=[source(1)],
        keywords=["code", SECRET],
        topic=f"code {SECRET}",
    )
    await write(documents, answer, [source(1)])
    await write(documents, record(3, session_id="other"), [source(1)])
    await write(documents, record(4, session_id="other"), [source(9, session_id="garden", quote="plums")])


async def check_story(documents: FolderDocuments, world: World, tmp_path: Path) -> None:
    assert not files_with_it(tmp_path)
    assert [turn_id for _, turn_id in await documents.turns_of("alice")] == ["t2", "t3", "t4"]
    answer = await read_record(documents, "t2")
    assert answer is not None
    assert (answer.input, answer.output, answer.sources) == ("What is my code?", CLEARED, [])
    assert (answer.keywords, answer.topic) == (["code"], "code")
    shown = await read_record(documents, "t3")
    assert shown is not None
    assert shown.output == "Hello to you."
    assert await documents.names("t3") == [METADATA, RESPONSE]
    assert len(await documents.names("t4")) == 4
    assert set(world.cleared) == {"t2"}
    assert world.traces == world.told == {"t1", "t2", "t3"}
    assert await world.files.ids("alice") == []


@pytest.mark.parametrize(("scope", "target"), [("turn", "t1"), ("session", "kitchen")])
async def test_wherever_it_breaks_off_it_ends_whole(tmp_path: Path, scope: ForgetScope, target: str) -> None:
    whole = World(FolderDocuments(tmp_path / "whole"), tmp_path / "whole")
    await write_story(whole)
    receipt = await forget(whole, scope, target)
    await check_story(whole.documents, whole, tmp_path / "whole")
    assert (receipt.state, receipt.turns, receipt.answers) == ("erased", ["t1"], ["t2", "t3"])

    for breaks_at in range(len(whole.steps)):
        folder = tmp_path / f"{breaks_at}"
        broken = World(FolderDocuments(folder), folder)
        await write_story(broken)
        broken.breaks_at = breaks_at

        receipt = await forget(broken, scope, target)

        assert len(broken.steps) > len(whole.steps), "it was broken off"
        await check_story(broken.documents, broken, folder)
        assert (receipt.state, receipt.turns, receipt.answers) == ("erased", ["t1"], ["t2", "t3"])


class CountedDocuments(FolderDocuments):
    """Notes whose documents are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.looked: set[str] = set()

    def _found(self, turn_id: str, read: Callable[[Path], Any]) -> Any:
        self.looked.add(turn_id)
        return super()._found(turn_id, read)


@pytest.mark.parametrize(("scope", "target"), [("turn", "t1"), ("session", "kitchen"), ("memory", "m1")])
async def test_only_the_documents_of_the_turns_concerned_are_read(
    tmp_path: Path, scope: ForgetScope, target: str
) -> None:
    documents = CountedDocuments(tmp_path / "turns")
    world = World(documents, tmp_path)
    await write_story(world)
    await write(documents, record(5, session_id="other"), [source(5, kind="memory", id="m1")])
    for number in range(10, 40):
        await write(documents, record(number, session_id="other"), [source(9, session_id="garden")])
    documents.looked.clear()

    receipt = await forget(world, scope, target)

    affected = {"t5"} if scope == "memory" else {"t2", "t3"}
    assert set(receipt.answers) == affected
    assert documents.looked == affected | set(receipt.turns)


async def test_what_is_erased_is_not_done_again(world: World) -> None:
    await write_story(world)
    await forget(world, "turn", "t1")
    steps = len(world.steps)

    await forget(world, "turn", "t1")

    assert len(world.steps) == steps


async def test_an_archived_answer_stays_archived(world: World, tmp_path: Path) -> None:
    await write_story(world)
    for number in (1, 2):
        await FolderArchive(tmp_path / "turns").pack(f"000/turn_{number:06d}")

    await forget(world, "turn", "t1")

    await check_story(world.documents, world, tmp_path)
    names = {path.name for path in all_in(tmp_path)}
    assert {name for name in names if name.endswith(".zip")} == {"turn_000002_t2.zip"}
    assert not any(name.startswith((".writing-", ".packing-")) for name in names)


@pytest.mark.parametrize("scope", ["session", "user"])
async def test_what_began_later_stays(world: World, scope: ForgetScope) -> None:
    await write(world.documents, record(1))
    await write(world.documents, record(2, requested_at=LATER + timedelta(seconds=1)))

    receipt = await forget(world, scope, "kitchen" if scope == "session" else "")

    assert receipt.turns == ["t1"]
    assert [turn_id for _, turn_id in await world.documents.turns_of("alice")] == ["t2"]


async def test_others_turns_stay(world: World) -> None:
    await write(world.documents, record(1, user="bob"))

    for scope, target in (("turn", "t1"), ("session", "kitchen"), ("user", "")):
        world.receipts.clear()
        receipt = await forget(world, scope, target)  # type: ignore[arg-type]
        assert receipt.turns == []

    assert await world.documents.turns_of("bob") == [(1, "t1")]


async def test_all_files_of_a_user_go_and_half_ones_and_later_ones_stay(world: World, tmp_path: Path) -> None:
    """Also where the request comes again after all is done, as far as it knows."""
    await put(world, "file-1")
    await put(world, "file-2", half=True)
    await put(world, "file-9", user="bob")
    world.now = AFTERWARDS
    await put(world, "file-3")

    receipt = await forget(world, "user")

    assert [one for one in receipt.stores if one.store == "files"] == [
        StoreReceipt(store="files", removed=1, erased=True)
    ]
    assert await world.files.ids("alice") == ["file-3"]
    assert await world.files.ids("bob") == ["file-9"]
    assert {path.parent.name for path in files_with_it(tmp_path)} == {"file-3", "file-9"}


async def test_nothing_is_left_of_a_user_who_had_files(world: World, tmp_path: Path) -> None:
    await put(world, "file-1")
    await put(world, "file-2", half=True)

    await forget(world, "user")

    assert not files_with_it(tmp_path)
    assert not [path for path in all_in(tmp_path) if "alice" in path.name]


async def test_a_file_that_no_forgotten_turn_names_stays(world: World) -> None:
    await write_story(world)
    await put(world, "file-7")

    receipt = await forget(world, "session", "kitchen")

    assert await world.files.ids("alice") == ["file-7"]
    assert [one.removed for one in receipt.stores if one.store == "files"] == [1]


async def test_what_runs_is_stopped(world: World) -> None:
    world.running["t7"] = None
    world.is_reading = [False, True]

    await forget(world, "session", "kitchen")

    assert world.cancelled == ["t7"]
    assert world.is_reading == [], "not before the whole queue is known"


async def test_an_answer_that_was_being_given_meanwhile_is_cleared_as_well(
    world: World, tmp_path: Path
) -> None:
    """It had been shown what is forgotten before, and ends when the first look at the answers is over."""
    await write(world.documents, record(1, input=f"My code is {SECRET}"))
    answer = record(2, session_id="other", output=f"It is {SECRET}", sources=[source(1)])
    unfinished = answer.turn_id

    def ends() -> bool:
        if world.steps[-1] != "keep forgotten":
            return False
        folder = tmp_path / "turns" / answer.turn_dir
        folder.mkdir()
        (tmp_path / "turns" / "by_id").mkdir()
        (folder / METADATA).write_bytes(encode(answer))
        (folder / EVENTS).write_bytes(encode(SourcesFound(index=1, sources=[source(1)])))
        (tmp_path / "turns" / "by_id" / answer.turn_id).write_text(answer.turn_dir)
        return True

    world.running[unfinished] = ends

    receipt = await forget(world, "turn", "t1")

    assert receipt.state == "erased"
    assert receipt.answers == [unfinished]
    assert not files_with_it(tmp_path)


async def test_answers_that_stood_on_a_memory_are_cleared(world: World) -> None:
    """Also where the indexer had forgotten it before a crash: it names all that the user has forgotten."""
    memory = source(1, kind="memory", id="m1", turn_id=None)
    await write(world.documents, record(2, sources=[memory]), [memory])
    world.memory_ids = ["m1"]

    receipt = await forget(world, "turn", "t1")

    assert receipt.answers == ["t2"]


def test_a_session_is_gone_as_far_as_it_was_said_before() -> None:
    forgotten = Forgotten(session_id="kitchen", until=AT)
    imported = Origin(id="m1", session_id="kitchen", at=AT)

    assert forgotten.covers(imported)
    assert forgotten.covers(msgspec.structs.replace(imported, at=None))
    assert not forgotten.covers(msgspec.structs.replace(imported, at=LATER))
    assert not forgotten.covers(msgspec.structs.replace(imported, session_id="garden"))
    assert Forgotten(until=AT).covers(msgspec.structs.replace(imported, session_id="garden"))
    assert not Forgotten(turn_ids=frozenset(["t1"])).covers(imported)
    assert Forgotten().is_nothing
