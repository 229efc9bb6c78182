"""What is removed is gone, archived or not, and wherever a removal or an archiving broke off."""

import asyncio
import shutil
from pathlib import Path

import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from tests.contracts.orchestrator.documents.documents_room import (
    Crash,
    crash,
    everything_in,
    files,
    left_behind,
    read_all,
    written,
    zips_in,
)


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
