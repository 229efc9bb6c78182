"""Statements become memories that search finds: over a real PostgreSQL and a real Qdrant Edge."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.contract.errors import Poison, Refused, Transient
from shared.contract.events import ForgetRequested, Source
from shared.contract.memories import Statement
from shared.contract.requests import (
    ChangeMemory,
    DeleteMemories,
    GetMemory,
    MemoryChange,
    SaveMemory,
)
from tests.contracts.indexer.memories.memory_room import Room, opened_room
from tests.unit.indexer.memories.memories_room import DAY, NOON
from tests.unit.samples import saved


@pytest.fixture
async def room(database: str, tmp_path: Path) -> AsyncIterator[Room]:
    async with opened_room(database, tmp_path / "memories") as opened:
        yield opened


async def test_what_is_stated_is_found_with_the_messages_that_say_it(room: Room) -> None:
    await room.state("m1", "I live in Lisbon.", turn_id="t7", session_id="kitchen", message_ids=["t7:user"])

    (hit,) = await room.found("Lisbon")
    assert (hit.kind, hit.id, hit.text, hit.at) == ("memory", "m1", "I live in Lisbon.", NOON)
    assert (hit.message_ids, hit.turn_id, hit.session_id) == (["t7:user"], "t7", "kitchen")
    assert await room.found("Lisbon", user="bob") == []


async def test_what_was_superseded_is_not_found(room: Room) -> None:
    await room.state("m1", "I live in Lisbon.")
    room.now = NOON + 2 * DAY
    await room.state("m2", "I moved to Porto.", NOON + DAY)

    assert [hit.id for hit in await room.found("live Lisbon Porto")] == ["m2"]
    assert await room.index.count() == 1
    assert await room.known() == ["I live in Porto."]
    assert await room.known(with_history=True) == ["I live in Porto.", "I live in Lisbon."]
    assert await room.known(as_of=NOON) == ["I live in Lisbon."]


async def test_a_late_statement_of_an_earlier_time_changes_nothing_that_holds(room: Room) -> None:
    room.now = NOON + 2 * DAY
    await room.state("m2", "I moved to Porto.", NOON + DAY)
    await room.state("m1", "I live in Lisbon.")

    assert [hit.id for hit in await room.found("Lisbon Porto")] == ["m2"]


async def test_a_memory_whose_time_has_not_come_or_is_over_is_not_found(room: Room) -> None:
    await room.state("m1", "I live in Lisbon.", valid_from=NOON + DAY, valid_to=NOON + 3 * DAY)

    seen = []
    for days in range(4):
        room.now = NOON + days * DAY
        seen.append([hit.id for hit in await room.found("Lisbon")])
    assert seen == [[], ["m1"], ["m1"], []]


async def test_a_statement_that_failed_half_way_is_whole_when_it_comes_again(room: Room) -> None:
    room.embedder.is_away = True
    with pytest.raises(Transient):
        await room.state("m1", "I live in Lisbon.")
    room.embedder.is_away = False
    await room.state("m1", "I live in Lisbon.")

    assert [hit.id for hit in await room.found("Lisbon")] == ["m1"]


async def test_a_deleted_memory_leaves_rows_and_index_and_what_it_ended_is_found_again(room: Room) -> None:
    await room.state("m1", "I live in Lisbon.")
    await room.state("m2", "I moved to Porto.", NOON + DAY)
    room.now = NOON + 2 * DAY

    deleted = await room.memories.delete(DeleteMemories(user="alice", memory_ids=["m2", "none"]))

    assert deleted.memory_ids == ["m2"]
    assert [hit.id for hit in await room.found("Lisbon Porto")] == ["m1"]
    await room.state("m2", "I moved to Porto.", NOON + DAY)
    assert [hit.id for hit in await room.found("Lisbon Porto")] == ["m1"]


async def test_a_correction_is_found_by_its_new_words(room: Room) -> None:
    await room.state("m1", "The code is 4711.")
    change = MemoryChange(text="The code is 0815.")
    changed = await room.memories.change(ChangeMemory(user="alice", memory_id="m1", change=change))

    assert (changed.text, changed.memory_id) == ("The code is 0815.", "m1")
    assert [hit.text for hit in await room.found("0815")] == ["The code is 0815."]
    assert await room.index.count() == 1


async def test_a_saved_statement_answers_with_the_memory_that_it_confirms(room: Room) -> None:
    await room.state("m1", "I live in Lisbon.", confidence=0.5)
    room.now = NOON + DAY
    request = SaveMemory(user="alice", statement=Statement(text="I live in Lisbon"))

    memory = await room.memories.save(request)
    assert (memory.memory_id, len(memory.evidence), memory.last_confirmed_at) == ("m1", 2, NOON + DAY)
    assert memory.confidence == 0.75


async def test_the_same_id_is_the_same_statement(room: Room) -> None:
    request = SaveMemory(user="alice", statement=Statement(text="I live in Lisbon"), memory_id="mine")

    assert await room.memories.save(request) == await room.memories.save(request)


async def test_a_use_keeps_a_memory_from_fading(room: Room) -> None:
    await room.state("m1", "The code is 4711.")
    room.now = NOON + timedelta(days=180)
    assert (await room.memories.get(GetMemory(user="alice", memory_id="m1"))).confidence == 0.5

    source = Source(kind="memory", id="m1", score=0.5, quote="4711")
    for _ in range(2):
        await room.memories.note_uses([saved(7, sources=[source], saved_at=room.now)])
    assert (await room.memories.get(GetMemory(user="alice", memory_id="m1"))).confidence == 1.0


async def test_what_is_not_there_is_refused(room: Room) -> None:
    for ask in (
        room.memories.get(GetMemory(user="alice", memory_id="none")),
        room.memories.change(ChangeMemory(user="alice", memory_id="none", change=MemoryChange(text="x"))),
    ):
        with pytest.raises(Refused) as refused:
            await ask
        assert refused.value.status == 404


async def test_a_statement_that_says_nothing_is_poison(room: Room) -> None:
    with pytest.raises(Poison, match="text is empty"):
        await room.state("m1", " ")


async def test_all_of_a_user_goes(room: Room) -> None:
    await room.state("m1", "I live in Lisbon.")
    await room.state("m2", "The code is 4711.")
    order = ForgetRequested(forget_id="f1", user="alice", scope="user", requested_at=room.now)

    assert await room.memories.forget(order) == ["m1", "m2"]
    assert await room.index.count() == 0
