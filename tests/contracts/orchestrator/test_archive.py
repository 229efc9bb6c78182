"""The contract of Documents for archived turns: reading, removal, and lists by user."""

import asyncio
import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from services.orchestrator.documents import folder as folder_module
from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.documents.folder_paths import TurnPaths
from services.orchestrator.documents.zips import TurnOwner, owner_of


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "turns"


@pytest.fixture
def documents(folder: Path) -> FolderDocuments:
    return FolderDocuments(folder)


@pytest.fixture
def archive(folder: Path) -> FolderArchive:
    return FolderArchive(folder)


def files(number: int, turn_id: str, user: str = "alice", session_id: str = "s1") -> dict[str, str]:
    about = {"turn_id": turn_id, "turn_number": number, "user": user, "session_id": session_id}
    return {
        "context.md": f"# Turn {number}\n\nÀ Lisbonne 🐝\r\n",
        "events.jsonl": '{"type":"output.delta"}\n' * 200,
        "metadata.json": json.dumps({**about, "ended_at": "2026-03-05T10:00:00Z"}),
    }


async def written(documents: FolderDocuments, number: int, **more: str) -> dict[str, str]:
    texts = files(number, f"t{number}", **more)
    await documents.write(number, f"t{number}", texts)
    return texts


async def read_all(documents: FolderDocuments, turn_id: str) -> dict[str, str | None]:
    return {name: await documents.read(turn_id, name) for name in await documents.names(turn_id)}


# --- archiving ---


async def test_an_archived_turn_is_read_as_before_and_is_a_zip_that_any_program_opens(
    documents: FolderDocuments, archive: FolderArchive, folder: Path
) -> None:
    texts = await written(documents, 7)

    packed = await archive.pack("000/turn_000007")

    path = folder / "archive" / "2026-03" / "turn_000007_t7.zip"
    assert packed is not None
    assert (packed.bytes_before, packed.bytes_after) == (
        sum(len(text.encode()) for text in texts.values()),
        path.stat().st_size,
    )
    assert packed.bytes_after < packed.bytes_before
    assert not (folder / "000" / "turn_000007").exists()
    assert await read_all(documents, "t7") == texts
    assert await documents.read("t7", "nothing.md") is None
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert opened.read("context.md").decode() == texts["context.md"]
    assert left_behind(folder) == []


async def test_an_archived_turn_counts_for_the_highest_number_and_is_not_written_again(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    texts = await written(documents, 7)
    await archive.pack("000/turn_000007")

    assert await documents.highest_turn_number() == 7
    assert not await documents.write(7, "t7", {"context.md": "redelivered"})
    assert await read_all(documents, "t7") == texts


async def test_what_was_packed_is_not_packed_again(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    await written(documents, 7)

    assert await archive.pack("000/turn_000007") is not None
    assert await archive.pack("000/turn_000007") is None
    assert await archive.pack("000/turn_000008") is None


async def test_two_processes_that_archive_the_same_turns_pack_each_once(
    documents: FolderDocuments, folder: Path
) -> None:
    texts = {number: await written(documents, number) for number in range(1, 11)}
    processes = [FolderArchive(folder) for _ in range(3)]

    packed = await asyncio.gather(
        *(process.pack(f"000/turn_{number:06d}") for number in texts for process in processes)
    )

    assert sum(one is not None for one in packed) == 10
    for number, written_texts in texts.items():
        assert await read_all(documents, f"t{number}") == written_texts
    assert left_behind(folder) == []


async def test_whoever_reads_while_turns_are_archived_sees_them_whole(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    texts = {number: await written(documents, number) for number in range(1, 31)}
    ended = False

    async def look() -> int:
        looks = 0
        while not ended:
            for number, expected in texts.items():
                assert await read_all(documents, f"t{number}") == expected
                looks += 1
        return looks

    async def pack() -> None:
        nonlocal ended
        for number in texts:
            await archive.pack(f"000/turn_{number:06d}")
        ended = True

    async with asyncio.timeout(60):
        looks, _ = await asyncio.gather(look(), pack())

    assert looks >= 30


@pytest.mark.parametrize("step", ["_write", "_point", "_delete", "replace", "set_aside"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_wherever_archiving_breaks_off_the_turn_is_there_once_and_the_next_run_ends_it(
    documents: FolderDocuments, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str, moment: str
) -> None:
    texts = await written(documents, 7)
    owner = {"replace": Path, "set_aside": TurnPaths}.get(step, FolderArchive)
    real = getattr(owner, step)

    def breaks_off(*arguments: object) -> object:
        if moment == "after":
            real(*arguments)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, breaks_off)
        with pytest.raises(Crash):
            await FolderArchive(folder).pack("000/turn_000007")

    assert await read_all(FolderDocuments(folder), "t7") == texts
    assert await documents.turns_of("alice") == [(7, "t7")]

    await FolderArchive(folder).pack("000/turn_000007")

    assert not (folder / "000" / "turn_000007").exists()
    assert await read_all(documents, "t7") == texts
    assert await documents.turns_of("alice") == [(7, "t7")]
    assert len(zips_in(folder)) == 1


async def test_a_turn_is_old_by_its_last_reading(documents: FolderDocuments, archive: FolderArchive) -> None:
    now = time.time()
    for number in (1, 2, 3):
        await written(documents, number)
        age(documents, number, days=100)
    await written(documents, 4)

    await documents.mark_used("t2")
    await documents.mark_used("t9")

    assert await archive.unused_since(now - 90 * 86_400) == ["000/turn_000001", "000/turn_000003"]
    assert await archive.unused_since(now + 10) == [f"000/turn_{number:06d}" for number in (1, 2, 3, 4)]
    assert await archive.size_of("000/turn_000001") == sum(
        len(text.encode()) for text in files(1, "t1").values()
    )
    assert await archive.size_of("000/turn_000009") == 0


async def test_a_folder_whose_metadata_a_person_broke_stays_as_it_is(
    documents: FolderDocuments, archive: FolderArchive, folder: Path
) -> None:
    await documents.write(7, "t7", {"context.md": "text", "metadata.json": "{"})

    assert await archive.pack("000/turn_000007") is None
    assert await documents.read("t7", "context.md") == "text"
    assert await documents.turns_of("alice") == []


# --- whose they are ---


async def test_the_turns_of_a_user_are_those_of_the_user_alone_archived_or_not(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    await written(documents, 12)
    await written(documents, 3, session_id="s2")
    await written(documents, 4, user="bob")
    await written(documents, 5)
    await archive.pack("000/turn_000005")

    assert await documents.turns_of("alice") == [(3, "t3"), (5, "t5"), (12, "t12")]
    assert await documents.turns_of("alice", "s1") == [(5, "t5"), (12, "t12")]
    assert await documents.turns_of("bob", "s1") == [(4, "t4")]
    assert await documents.turns_of("carol") == []


# --- turns of earlier versions ---


async def written_by_an_earlier_version(documents: FolderDocuments, folder: Path, number: int) -> None:
    await written(documents, number)
    (folder / "000" / f"turn_{number:06d}").rename(folder / f"turn_{number:06d}")
    shutil.rmtree(folder / "ids")
    shutil.rmtree(folder / "by_user")
    (folder / "by_id").mkdir(exist_ok=True)
    (folder / "by_id" / f"t{number}").write_text(f"turn_{number:06d}")


@pytest.mark.parametrize("is_sorted", [False, True])
async def test_a_turn_of_an_earlier_version_is_read_listed_archived_and_removed(
    documents: FolderDocuments, archive: FolderArchive, folder: Path, is_sorted: bool
) -> None:
    await written_by_an_earlier_version(documents, folder, 7)
    assert await archive.unsorted() == ["t7"]
    if is_sorted:
        await archive.sort("t7")
        assert await archive.unsorted() == []

    assert await read_all(documents, "t7") == files(7, "t7")
    assert await documents.turns_of("alice") == [(7, "t7")]
    assert await documents.highest_turn_number() == 7
    assert not await documents.write(7, "t7", {"context.md": "redelivered"})
    assert await archive.unused_since(time.time() + 10) == ["turn_000007"]
    assert await archive.pack("turn_000007") is not None
    assert await archive.unsorted() == []
    assert await read_all(documents, "t7") == files(7, "t7")
    assert await documents.turns_of("alice") == [(7, "t7")]
    assert await documents.remove("t7")
    assert await documents.turns_of("alice") == []
    assert not any("t7" in name for name in everything_in(folder))


async def test_a_turn_of_an_earlier_version_is_removed_where_it_lies(
    documents: FolderDocuments, folder: Path
) -> None:
    await written_by_an_earlier_version(documents, folder, 7)

    assert await documents.remove("t7")

    assert sorted(name for name in everything_in(folder) if "7" in name) == []


async def test_the_turns_of_a_user_are_listed_without_a_look_at_others(
    documents: FolderDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        await written(documents, number, user="alice" if number == 3 else "bob")
    looked: list[Path] = []

    def owner(path: Path) -> TurnOwner | None:
        looked.append(path)
        return owner_of(path)

    monkeypatch.setattr(folder_module, "owner_of", owner)

    assert await documents.turns_of("alice") == [(3, "t3")]
    assert [path.name for path in looked] == ["turn_000003"]


@pytest.mark.parametrize("user", [".", "..", "a.b@c"])
async def test_a_user_may_have_any_name(documents: FolderDocuments, folder: Path, user: str) -> None:
    await written(documents, 7, user=user)

    assert await documents.turns_of(user) == [(7, "t7")]
    assert await documents.remove("t7")
    assert list(folder.glob("by_user/*")) == []  # noqa: ASYNC240


# --- taking away ---


@pytest.mark.parametrize("is_archived", [False, True])
async def test_what_is_removed_leaves_nothing(
    documents: FolderDocuments, archive: FolderArchive, folder: Path, is_archived: bool
) -> None:
    await written(documents, 7)
    other = await written(documents, 17)
    if is_archived:
        await archive.pack("000/turn_000007")

    assert await documents.remove("t7")

    assert not await documents.remove("t7")
    assert await documents.names("t7") == []
    assert await documents.read("t7", "metadata.json") is None
    assert await documents.turns_of("alice") == [(17, "t17")]
    assert await read_all(documents, "t17") == other
    assert not any("t7" in name for name in everything_in(folder))
    assert left_behind(folder) == []


async def test_an_id_that_ends_like_another_takes_only_its_own_away(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    for number, turn_id in ((7, "b"), (8, "a_b"), (9, "000008_b")):
        await documents.write(number, turn_id, files(number, turn_id))
        await archive.pack(f"000/turn_{number:06d}")

    assert await documents.remove("b")

    assert await documents.turns_of("alice") == [(8, "a_b"), (9, "000008_b")]


async def test_both_copies_go_where_archiving_had_broken_off(
    documents: FolderDocuments, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(documents, 7)
    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "_point", crash)
        with pytest.raises(Crash):
            await FolderArchive(folder).pack("000/turn_000007")
    assert (folder / "000" / "turn_000007").exists()
    assert zips_in(folder)

    assert await documents.remove("t7")

    assert not (folder / "000" / "turn_000007").exists()
    assert zips_in(folder) == []


async def test_a_removal_that_broke_off_is_found_and_ended(
    documents: FolderDocuments, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(documents, 7)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", crash)
        with pytest.raises(Crash):
            await documents.remove("t7")
    assert await documents.read("t7", "metadata.json") is None, "out of sight at once"
    assert await documents.turns_of("alice") == [(7, "t7")]

    assert await FolderDocuments(folder).remove("t7")

    assert await documents.turns_of("alice") == []
    assert left_behind(folder) == []


async def test_what_a_dead_process_had_begun_to_write_goes_with_the_turn(
    documents: FolderDocuments, folder: Path
) -> None:
    half = folder / ".writing-t7.x1"
    half.mkdir()
    (half / "context.md").write_text("half")
    (folder / ".writing-t77.x1").mkdir()

    assert await documents.remove("t7")

    assert left_behind(folder) == [".writing-t77.x1"]


async def test_a_turn_that_is_archived_and_forgotten_at_once_is_forgotten(
    documents: FolderDocuments, archive: FolderArchive, folder: Path
) -> None:
    for number in range(1, 21):
        await written(documents, number)

    packing = [archive.pack(f"000/turn_{number:06d}") for number in range(1, 21)]
    removing = [documents.remove(f"t{number}") for number in range(1, 21)]
    ended = await asyncio.gather(*(one for pair in zip(packing, removing, strict=True) for one in pair))

    assert ended[1::2] == [True] * 20
    assert await documents.turns_of("alice") == []
    assert zips_in(folder) == []
    assert left_behind(folder) == []


def crash(*arguments: object) -> None:
    raise Crash


def age(documents: FolderDocuments, number: int, *, days: int) -> None:
    then = time.time() - days * 86_400
    place = documents._paths.pointers.path_of(f"t{number}")
    assert place is not None
    os.utime(place, (then, then))


def zips_in(folder: Path) -> list[str]:
    return [name for name in everything_in(folder) if name.endswith(".zip")]


def everything_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"]
