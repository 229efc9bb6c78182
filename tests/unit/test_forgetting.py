"""How a request to forget is carried out, over real documents: wherever it breaks off, it ends whole."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.orchestrator.adapters.folder import FolderDocuments
from services.orchestrator.adapters.folder_archive import FolderArchive
from services.orchestrator.adapters.folder_files import FolderFiles
from services.orchestrator.adapters.pillow_pictures import look
from services.orchestrator.archive import read_record
from services.orchestrator.domain.documents import CONTEXT, EVENTS, METADATA, RESPONSE
from services.orchestrator.domain.forgetting import CLEARED, Gone
from services.orchestrator.domain.queue import Waiting
from services.orchestrator.forgetting import Forgetting
from shared.errors import Refused, Transient
from shared.events import (
    ForgetRequested,
    ForgetScope,
    Origin,
    SeenImage,
    Source,
    SourcesFound,
    encode,
)
from shared.replies import (
    AnswersCleared,
    ClearAnswers,
    Control,
    Controlled,
    EraseRows,
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    Receipt,
    ReceiptKept,
    RowsErased,
    RowsForgotten,
    StoreReceipt,
    TurnRecord,
)
from tests.contracts.images_room import pieces, png_with
from tests.unit.samples import AT, record, requested

LATER = AT + timedelta(hours=1)
AFTERWARDS = LATER + timedelta(hours=1)
SECRET = "oblongata"


class Crash(Transient):
    """Everything ends here, and the request comes again."""


class BreakingFiles(FolderFiles):
    """Each removal is a step that may break off."""

    world: "World"

    async def remove(self, user: str, file_ids: Collection[str]) -> int:
        if not file_ids:
            return 0
        self.world.step("files")
        return await super().remove(user, file_ids)


class World:
    """Everybody that forgetting asks. Breaks off at the step number `breaks_at`."""

    def __init__(self, documents: FolderDocuments, folder: Path) -> None:
        self.documents = documents
        self.now = AT
        self.files = BreakingFiles(folder / "files", look, lambda: self.now)
        self.files.world = self
        self.steps: list[str] = []
        self.breaks_at = -1
        self.receipts: dict[str, Receipt] = {}
        self.cleared: list[str] = []
        self.memory_ids: list[str] = []
        self.traces: set[str] = set()
        self.told: set[str] = set()
        self.running: dict[str, Any] = {}
        """By turn, what it does when it is looked at for the second time."""
        self.cancelled: list[str] = []
        self.is_reading: list[bool] = []
        """What it says next of whether the queue is known."""

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) - 1 == self.breaks_at:
            raise Crash(f"before {name}")

    # --- the indexer ---

    async def ask(self, request: Any) -> Any:
        match request:
            case GetReceipt():
                if request.forget_id not in self.receipts:
                    raise Refused(404, "not yet")
                return self.receipts[request.forget_id]
            case KeepReceipt():
                self.step(f"keep {request.receipt.state}")
                self.receipts[request.receipt.forget_id] = request.receipt
                return ReceiptKept()
            case ForgetRows():
                self.step("rows")
                return RowsForgotten(
                    stores=[StoreReceipt(store="turns", removed=0)], memory_ids=self.memory_ids
                )
            case ClearAnswers():
                self.step("clear")
                self.cleared += request.turn_ids
                return AnswersCleared()
            case EraseRows():
                self.step("erase rows")
                return RowsErased(stores=[StoreReceipt(store="turns", removed=0, erased=True)])
        raise AssertionError(request)

    # --- the streams ---

    async def remove(self, order: ForgetRequested, gone: Gone, also: Sequence[str]) -> int:
        self.step("traces")
        self.traces |= {*gone.turn_ids, *also}
        return 0

    async def remove_keys(self, order: ForgetRequested) -> int:
        self.step("keys")
        return 0

    async def erase(self) -> None:
        self.step("erase streams")

    async def tell(self, turn_ids: Sequence[str]) -> None:
        self.step("tell")
        self.told |= set(turn_ids)

    # --- the turns ---

    async def is_behind(self) -> bool:
        return self.is_reading.pop() if self.is_reading else False

    def of_user(self, user: str) -> list[Waiting]:
        for turn_id, looks in list(self.running.items()):
            if looks is not None and looks():
                del self.running[turn_id]
        return [
            Waiting(number=9, request=requested(turn_id, user=user), requested_at=AT, seen_at=0.0)
            for turn_id in self.running
        ]

    def running_of_user(self, user: str) -> set[str]:
        return set(self.running)

    async def control(self, request: Control) -> Controlled:
        self.cancelled.append(request.turn_id)
        del self.running[request.turn_id]
        return Controlled(turn_id=request.turn_id, found="running", done=True)


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocuments:
    return FolderDocuments(tmp_path / "turns")


@pytest.fixture
def world(documents: FolderDocuments, tmp_path: Path) -> World:
    return World(documents, tmp_path)


async def forget(world: World, scope: ForgetScope, target: str = "", *, at: datetime = LATER) -> Receipt:
    """However often it breaks off."""
    order = ForgetRequested(forget_id="f1", user="alice", scope=scope, target=target, requested_at=at)
    while True:
        forgetting = Forgetting(world, world, world.documents, world.files, world, lambda: LATER)
        try:
            await forgetting.on_forget_requested([order])
        except Transient:
            continue
        return world.receipts["f1"]


def source(number: int, **more: Any) -> Source:
    fields: dict[str, Any] = {
        "id": f"t{number}",
        "turn_id": f"t{number}",
        "session_id": "kitchen",
        "at": AT,
        "quote": SECRET,
        **more,
    }
    return Source(score=0.5, **fields)


async def write(documents: FolderDocuments, one: TurnRecord, found: Sequence[Source] = ()) -> None:
    event = SourcesFound(index=1, sources=list(found))
    await documents.write(
        one.turn_number,
        one.turn_id,
        {
            CONTEXT: f"{one.input} {[each.quote for each in found]}",
            RESPONSE: one.output,
            METADATA: encode(one).decode(),
            EVENTS: f"{encode(event).decode()}\n",
        },
    )


async def put(world: World, file_id: str, *, user: str = "alice", half: bool = False) -> None:
    """An image that says the secret where nobody looks, or the first half of it."""
    data = png_with(SECRET)
    step = len(data) - 1 if half else len(data)
    await world.files.put(pieces(data, user=user, file_id=file_id, name=f"{SECRET}.png", step=step)[0])


def image(file_id: str) -> SeenImage:
    return SeenImage(file_id=file_id, name=f"{SECRET}.png", description=f"A slip with {SECRET} on it")


async def write_story(world: World) -> None:
    """Turn 1 says a secret and shows it, turn 2 answers with it, turn 3 was only shown it, turn 4 is about
    plums."""
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


def all_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def files_with_it(folder: Path) -> list[Path]:
    return [path for path in all_in(folder) if path.is_file() and SECRET.encode() in path.read_bytes()]


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


async def test_what_is_erased_is_not_done_again(world: World) -> None:
    await write_story(world)
    await forget(world, "turn", "t1")
    steps = len(world.steps)

    await forget(world, "turn", "t1")

    assert len(world.steps) == steps


async def test_an_archived_answer_stays_archived(world: World, tmp_path: Path) -> None:
    await write_story(world)
    for number in (1, 2):
        await FolderArchive(tmp_path / "turns").pack(f"turn_{number:06d}")

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
    gone = Gone(session_id="kitchen", until=AT)
    imported = Origin(id="m1", session_id="kitchen", at=AT)

    assert gone.holds(imported)
    assert gone.holds(msgspec.structs.replace(imported, at=None))
    assert not gone.holds(msgspec.structs.replace(imported, at=LATER))
    assert not gone.holds(msgspec.structs.replace(imported, session_id="garden"))
    assert Gone(until=AT).holds(msgspec.structs.replace(imported, session_id="garden"))
    assert not Gone(turn_ids=frozenset(["t1"])).holds(imported)
    assert Gone().is_nothing
