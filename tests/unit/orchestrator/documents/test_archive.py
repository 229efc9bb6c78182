"""When old turns go to the archive, and what an export reads of turns."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.orchestrator.documents.archive import TurnArchive
from services.orchestrator.documents.export import DocumentExport
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.turn.state import turn_dir
from shared.contract.errors import Refused
from shared.contract.requests import (
    ArchiveTurns,
    ExportTurn,
    GetDocument,
    GetEvents,
    ListDocuments,
    ListHeldTurns,
)
from tests.unit.orchestrator.orchestrator_room import Parrot, Room, Shelf

DAY = 86_400.0


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path / "turns", Shelf(), Parrot())
    yield room
    await room.close()


def turn_archive(room: Room, *, after_days: float = 90.0, busy: bool = False) -> TurnArchive:
    return TurnArchive(FolderArchive(room.folder), time.time, after_days=after_days, is_busy=lambda: busy)


async def said(room: Room, *numbers: int, days_ago: float = 0.0) -> None:
    then = time.time() - days_ago * DAY
    for number in numbers:
        await room.hand_in(number, session_id=f"s{number}")
        os.utime(room.folder / turn_dir(number), (then, then))


def open_folders(room: Room) -> list[str]:
    return sorted(path.name for path in room.folder.glob("*/turn_*"))


async def test_turns_that_nobody_used_for_long_are_packed_by_themselves(room: Room) -> None:
    await said(room, 1, 2, days_ago=91)
    await said(room, 3, days_ago=89)

    assert await turn_archive(room).round() == 2
    assert await turn_archive(room).round() == 0

    assert open_folders(room) == ["turn_000003"]
    assert (await room.archive.list_documents(ListDocuments(user="alice", turn_id="t1"))).names
    text = (await room.archive.get_document(GetDocument(user="alice", turn_id="t2", name="response.md"))).text
    assert text == "Hello\n"
    assert (await room.archive.get_events(GetEvents(user="alice", turn_id="t2"))).events


async def test_a_turn_that_was_read_stays_open(room: Room) -> None:
    await said(room, 1, 2, days_ago=91)

    await room.archive.list_documents(ListDocuments(user="alice", turn_id="t2"))

    assert await turn_archive(room).round() == 1
    assert open_folders(room) == ["turn_000002"]


async def test_a_strangers_look_is_no_use(room: Room) -> None:
    await said(room, 1, days_ago=91)

    with pytest.raises(Refused):
        await room.archive.list_documents(ListDocuments(user="bob", turn_id="t1"))

    assert await turn_archive(room).round() == 1


async def test_with_0_days_nothing_is_packed_by_itself_nor_without_saying_how_old(room: Room) -> None:
    await said(room, 1, days_ago=400)
    never = turn_archive(room, after_days=0)

    running = asyncio.create_task(never.run())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(Refused, match="ARCHIVE_AFTER_DAYS") as refusal:
        await never.archive(ArchiveTurns())

    assert (refusal.value.status, refusal.value.field) == (422, "older_than_days")
    assert open_folders(room) == ["turn_000001"]
    assert (await never.archive(ArchiveTurns(older_than_days=300))).turns == 1


async def test_asked_for_it_says_how_many_and_how_much_was_saved(room: Room) -> None:
    await said(room, 1, 2, 3, days_ago=31)
    await said(room, 4)

    would = await turn_archive(room).archive(ArchiveTurns(older_than_days=30, dry_run=True))
    open_before = open_folders(room)
    done = await turn_archive(room).archive(ArchiveTurns(older_than_days=30))

    assert len(open_before) == 4
    assert (would.turns, would.bytes_before, would.bytes_after, would.left) == (3, done.bytes_before, 0, 0)
    assert (done.turns, done.left) == (3, 0)
    assert 0 < done.bytes_after < done.bytes_before
    assert open_folders(room) == ["turn_000004"]


async def test_a_request_ends_after_about_a_second_and_the_next_one_goes_on(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.orchestrator.documents.archive._REQUEST_SECONDS", 0.0)
    await said(room, 1, 2, 3, days_ago=31)

    left = [(await turn_archive(room).archive(ArchiveTurns(older_than_days=30))).left for _ in range(3)]

    assert left == [2, 1, 0]
    assert open_folders(room) == []


# --- export ---


async def test_all_documents_of_a_turn_are_read_in_pages_archived_or_not_and_are_not_used_by_that(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.orchestrator.documents.export._PAGE_CHARACTERS", 100)
    await said(room, 1, days_ago=91)
    expected = {
        name: (await room.documents.read("t1", name)) or "" for name in await room.documents.names("t1")
    }

    open_documents, pages = await exported(room, "t1")
    assert await turn_archive(room).round() == 1, "an export does not count as use"
    packed_documents, _ = await exported(room, "t1")

    assert open_documents == packed_documents == expected
    assert len(expected) == 5
    assert pages > 10


async def exported(room: Room, turn_id: str) -> tuple[dict[str, str], int]:
    documents: dict[str, str] = {}
    name, offset, pages = "", 0, 0
    while True:
        reply = await DocumentExport(room.documents).read_turn(
            ExportTurn(user="alice", turn_id=turn_id, after_name=name, after_offset=offset)
        )
        pages += 1
        assert sum(len(piece.text) for piece in reply.pieces) <= 100
        for piece in reply.pieces:
            assert len(documents.get(piece.name, "")) == piece.offset
            documents[piece.name] = documents.get(piece.name, "") + piece.text
            name, offset = piece.name, piece.offset + len(piece.text)
        if not reply.more:
            return documents, pages


async def test_a_strangers_turn_is_not_exported(room: Room) -> None:
    await said(room, 1)

    for turn_id in ("t1", "t2"):
        with pytest.raises(Refused, match="there is no ended turn"):
            await DocumentExport(room.documents).read_turn(ExportTurn(user="bob", turn_id=turn_id))


async def test_the_turns_that_are_held_come_in_pages_by_number(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.orchestrator.documents.export._PAGE_TURNS", 2)
    await said(room, 1, 2, 3)
    await room.hand_in(4, user="bob", session_id="s")
    export = DocumentExport(room.documents)

    first = await export.list_turns(ListHeldTurns(user="alice"))
    second = await export.list_turns(ListHeldTurns(user="alice", after=2))

    assert [turn.turn_id for turn in first.turns] == ["t1", "t2"]
    assert first.more
    assert [turn.turn_number for turn in second.turns] == [3]
    assert not second.more
