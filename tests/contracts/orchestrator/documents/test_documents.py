"""The contract of Documents over a folder."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from services.orchestrator.documents.folder import FolderDocuments

FILES = {"context.md": "# Turn 7\n\nÀ Lisbonne 🐝\r\n", "metadata.json": "{}"}


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocuments:
    return FolderDocuments(tmp_path / "turns")


async def test_what_is_written_is_read_back_as_it_was(documents: FolderDocuments) -> None:
    await documents.write(7, "t7", FILES)

    assert await documents.names("t7") == ["context.md", "metadata.json"]
    assert {name: await documents.read("t7", name) for name in FILES} == FILES


async def test_a_person_finds_the_folder_by_its_number(documents: FolderDocuments, tmp_path: Path) -> None:
    await documents.write(742, "t742", FILES)

    assert sorted(path.name for path in (tmp_path / "turns" / "000" / "turn_000742").iterdir()) == sorted(
        FILES
    )


async def test_what_is_not_there_is_none(documents: FolderDocuments) -> None:
    await documents.write(7, "t7", FILES)

    assert await documents.read("t8", "context.md") is None
    assert await documents.read("t7", "response.md") is None
    assert await documents.names("t8") == []


async def test_a_turn_written_twice_stays_as_it_was_written_first(
    documents: FolderDocuments, tmp_path: Path
) -> None:
    await documents.write(7, "t7", FILES)
    await documents.write(7, "t7", {"context.md": "something else"})

    assert await documents.read("t7", "context.md") == FILES["context.md"]
    assert left_behind(tmp_path) == []


async def test_a_turn_written_by_two_at_once_is_written_once(
    documents: FolderDocuments, tmp_path: Path
) -> None:
    """A turn that is redelivered while its first attempt still writes."""
    await asyncio.gather(*(documents.write(7, "t7", FILES) for _ in range(8)))

    assert {name: await documents.read("t7", name) for name in FILES} == FILES
    assert left_behind(tmp_path) == []


async def test_a_reader_sees_all_of_a_turn_or_nothing(documents: FolderDocuments) -> None:
    """The folder appears by one rename, also for a reader at that moment."""
    many = {f"document_{number:03d}.md": "text" for number in range(100)}
    seen = set()

    async def look() -> None:
        while len(await documents.names("t7")) < 100:
            seen.add(len(await documents.names("t7")))
            seen.add(0 if await documents.read("t7", "document_000.md") is None else 100)
            await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await asyncio.gather(look(), documents.write(7, "t7", many))

    assert seen <= {0, 100}


async def test_a_write_that_breaks_off_leaves_no_turn(documents: FolderDocuments, tmp_path: Path) -> None:
    """Half a surrogate cannot be written: the second file fails."""
    with pytest.raises(UnicodeEncodeError):
        await documents.write(7, "t7", {"context.md": "whole", "response.md": "\ud800"})

    assert await documents.names("t7") == []
    assert await documents.highest_turn_number() == 0
    assert left_behind(tmp_path) == []

    await documents.write(7, "t7", FILES)
    assert await documents.read("t7", "context.md") == FILES["context.md"]


async def test_what_a_killed_process_left_behind_is_removed_at_the_next_start(tmp_path: Path) -> None:
    half = tmp_path / "turns" / ".writing-killed"
    half.mkdir(parents=True)
    (half / "context.md").write_text("half")
    long_ago = time.time() - 2 * 3600
    os.utime(half, (long_ago, long_ago))
    (tmp_path / "turns" / "ids" / "t7").mkdir(parents=True)
    (tmp_path / "turns" / "ids" / "t7" / "t7").write_text("000/turn_000007")

    documents = FolderDocuments(tmp_path / "turns")

    assert left_behind(tmp_path) == []
    assert await documents.names("t7") == [], "a pointer without its folder is no turn"
    await documents.write(7, "t7", FILES)
    assert await documents.read("t7", "context.md") == FILES["context.md"]


async def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    half = tmp_path / "turns" / ".writing-right-now"
    half.mkdir(parents=True)

    FolderDocuments(tmp_path / "turns")

    assert half.exists()


async def test_whoever_is_the_first_to_write_a_turn_decides(
    documents: FolderDocuments,
) -> None:
    written = await asyncio.gather(*(documents.write(7, "t7", FILES) for _ in range(8)))

    assert sorted(written) == [False] * 7 + [True]


async def test_the_highest_number_is_the_last_turns(documents: FolderDocuments) -> None:
    assert await documents.highest_turn_number() == 0
    for number in (3, 1_234_567, 42):
        await documents.write(number, f"t{number}", FILES)

    assert await documents.highest_turn_number() == 1_234_567


async def test_turns_are_there_after_a_restart(documents: FolderDocuments, tmp_path: Path) -> None:
    await documents.write(7, "t7", FILES)

    again = FolderDocuments(tmp_path / "turns")

    assert await again.read("t7", "metadata.json") == "{}"
    assert await again.highest_turn_number() == 7


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in (folder / "turns").iterdir() if path.name.startswith(".")]
