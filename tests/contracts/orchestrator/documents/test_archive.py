"""The contract of Documents for archived turns: packing and reading."""

import asyncio
import time
import zipfile
from pathlib import Path

import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.documents.folder_paths import TurnPaths
from tests.contracts.orchestrator.documents.documents_room import (
    Crash,
    age,
    files,
    left_behind,
    read_all,
    written,
    zips_in,
)


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
