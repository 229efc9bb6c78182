"""Turns that an earlier version wrote, at the places of that version."""

import shutil
import time
from pathlib import Path

import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from tests.contracts.orchestrator.documents.documents_room import everything_in, files, read_all, written


async def written_by_an_earlier_version(documents: FolderDocuments, folder: Path, number: int) -> None:
    await written(documents, number)
    (folder / "000" / f"turn_{number:06d}").rename(folder / f"turn_{number:06d}")
    shutil.rmtree(folder / "ids")
    shutil.rmtree(folder / "by_user")
    (folder / "by_id").mkdir(exist_ok=True)
    (folder / "by_id" / f"t{number}").write_text(f"turn_{number:06d}")


@pytest.mark.parametrize("is_archived", [False, True])
async def test_what_a_turn_of_an_earlier_version_was_given_is_noted_later(
    documents: FolderDocuments, archive: FolderArchive, folder: Path, is_archived: bool
) -> None:
    """That version listed it by its user, and not by what it was given."""
    await written(documents, 7)
    if is_archived:
        await archive.pack("000/turn_000007")
    shutil.rmtree(folder / "by_source")
    (folder / "by_user" / "alice.noted").rename(folder / "by_user" / "alice.ids")
    assert await archive.unsorted() == ["t7"]
    assert await documents.turns_given("alice", {"turn t9"}) == {"t7"}, "it may have been"
    assert await documents.turns_of("alice", "s1") == [(7, "t7")]
    assert await documents.turns_of("alice", "s2") == []

    await archive.sort("t7")

    assert await archive.unsorted() == []
    assert await documents.turns_given("alice", {"turn t9"}) == set()
    assert await documents.turns_of("alice", "s1") == [(7, "t7")]
    assert await documents.turns_of("alice") == [(7, "t7")]


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
