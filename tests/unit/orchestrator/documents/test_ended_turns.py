"""Questions about turns that have ended, answered from their documents."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import msgspec
import pytest

from shared.contract.errors import Refused
from shared.contract.events import OutputDelta, TurnSaved, decode_live
from shared.contract.requests import GetDocument, GetEvents, GetTurn, ListDocuments
from tests.unit.orchestrator.orchestrator_room import Parrot, Room, Shelf


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path / "turns", Shelf(), Parrot())
    yield room
    await room.close()


async def test_the_documents_of_a_turn_are_listed_and_read(room: Room) -> None:
    await room.hand_in(7, "Hello")

    names = (await room.archive.list_documents(ListDocuments(user="alice", turn_id="t7"))).names
    documents = [
        await room.archive.get_document(GetDocument(user="alice", turn_id="t7", name=name)) for name in names
    ]

    assert [(one.name, one.media_type) for one in documents] == [
        ("context.md", "text/markdown"),
        ("events.jsonl", "application/jsonl"),
        ("metadata.json", "application/json"),
        ("metrics.json", "application/json"),
        ("response.md", "text/markdown"),
    ]
    assert documents[-1].text == "Hello\n"


@pytest.mark.parametrize("way", ["get", "list", "document"])
async def test_a_strangers_turn_is_answered_like_one_that_is_not_there(room: Room, way: str) -> None:
    await room.hand_in(7)

    def ask(user: str, turn_id: str) -> Awaitable[object]:
        match way:
            case "get":
                return room.archive.get_turn(GetTurn(user=user, turn_id=turn_id))
            case "list":
                return room.archive.list_documents(ListDocuments(user=user, turn_id=turn_id))
            case _:
                return room.archive.get_document(GetDocument(user=user, turn_id=turn_id, name="context.md"))

    with pytest.raises(Refused) as stranger:
        await ask("bob", "t7")
    with pytest.raises(Refused) as missing:
        await ask("alice", "t8")

    assert stranger.value.status == missing.value.status == 404
    assert stranger.value.detail.replace("t7", "t8") == missing.value.detail


@pytest.mark.parametrize(
    "name", ["", "nothing.md", "../turn_000007/context.md", "/etc/passwd", "../../by_id"]
)
async def test_no_name_leads_out_of_the_folder(room: Room, name: str) -> None:
    await room.hand_in(7)

    with pytest.raises(Refused, match="has no document") as refusal:
        await room.archive.get_document(GetDocument(user="alice", turn_id="t7", name=name))

    assert (refusal.value.status, refusal.value.field) == (404, "name")


async def test_a_record_survives_being_read_back(room: Room) -> None:
    saved = await room.hand_in(7, metadata={"client": "test"})

    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))

    told = {name: getattr(saved, name) for name in TurnSaved.__struct_fields__ if hasattr(record, name)}
    assert {name: msgspec.structs.asdict(record)[name] for name in told} == told


async def test_the_live_events_of_an_ended_turn_are_all_there_and_the_ones_of_the_engine_too(
    room: Room,
) -> None:
    await room.hand_in(7)

    events = (await room.archive.get_events(GetEvents(user="alice", turn_id="t7"))).events
    later = (await room.archive.get_events(GetEvents(user="alice", turn_id="t7", after=5))).events

    told = [decode_live(bytes(event)) for event in events]
    assert [event.index for event in told] == list(range(len(told)))
    assert [event.text for event in told if isinstance(event, OutputDelta)] == ["H", "ello"]
    assert told[-1].type == "turn.saved"
    assert later == events[6:]


async def test_a_turn_without_its_events_tells_the_same_in_four(room: Room) -> None:
    await room.hand_in(7)
    (room.folder / "000" / "turn_000007" / "events.jsonl").unlink()

    events = (await room.archive.get_events(GetEvents(user="alice", turn_id="t7"))).events

    told = [decode_live(bytes(event)) for event in events]
    assert [event.type for event in told] == ["turn.queued", "turn.sources", "output.delta", "turn.saved"]
