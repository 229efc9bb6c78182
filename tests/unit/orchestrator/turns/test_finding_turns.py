"""Turns that wait or run are found by their users, however late a process reads of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.contract.errors import Refused
from shared.contract.requests import Control, FindRunning, FindUnended, ListUnended
from tests.unit.orchestrator.orchestrator_room import Room, Shelf, Talker


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """Its engine talks until it is told to stop."""
    room = Room(tmp_path / "turns", Shelf(), Talker())
    yield room
    await room.close()


async def talks(room: Room) -> None:
    assert isinstance(room.model, Talker)
    await room.model.talks.wait()


async def test_a_turn_that_waits_or_runs_is_found_by_its_user_alone(room: Room) -> None:
    room.put(room.first, 7).close()
    await talks(room)
    room.put(room.first, 8).close()

    running = await room.turns.find_unended(FindUnended(user="alice", turn_id="t7"))
    queued = await room.turns.find_unended(FindUnended(user="alice", turn_id="t8"))
    busy = await room.turns.find_running(FindRunning(user="alice", session_id="kitchen"))
    with pytest.raises(Refused):
        await room.turns.find_unended(FindUnended(user="bob", turn_id="t7"))

    assert (running.status, queued.status) == ("running", "queued")
    assert busy.turn == running


async def test_a_turn_that_is_read_at_the_last_moment_is_found(room: Room) -> None:
    """As after an outage of NATS, when a process reads late what was stored at once."""
    room.arriving = lambda: room.put(room.first, 7).close()
    found = await room.turns.find_unended(FindUnended(user="alice", turn_id="t7"))
    room.arriving = lambda: room.put(room.first, 8).close()
    cancelled = await room.controls.control(Control(user="alice", turn_id="t8", action="cancel"))

    assert found.turn_number == 7
    assert cancelled.done


async def test_the_turns_of_a_user_are_listed_oldest_first(room: Room) -> None:
    room.put(room.first, 7).close()
    await talks(room)
    for number in (8, 9):
        room.put(room.first, number).close()

    async def listed(**more: Any) -> tuple[list[str], bool]:
        reply = await room.turns.list_unended(ListUnended(user="alice", **more))
        assert (reply.queued, reply.running, reply.waiting) == (2, 1, 0)
        return [turn.turn_id for turn in reply.turns], reply.more

    assert await listed() == (["t7", "t8", "t9"], False)
    assert await listed(limit=2) == (["t7", "t8"], True)
    assert await listed(after=8) == (["t9"], False)
    assert await listed(status="running") == (["t7"], False)
    assert (await room.turns.list_unended(ListUnended(user="bob"))).turns == []
