"""One turn of a session at a time."""

import asyncio

import pytest

from services.orchestrator.sessions import SessionLocks


async def test_turns_of_a_session_run_one_after_another_in_the_order_of_their_arrival() -> None:
    locks, story = SessionLocks(), list[str]()

    async def turn(name: str) -> None:
        async with locks.held("alice", "kitchen"):
            story.append(f"{name} begins")
            await asyncio.sleep(0)
            story.append(f"{name} ends")

    await asyncio.gather(*(turn(name) for name in "abc"))

    assert story == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


@pytest.mark.parametrize("other", [("alice", "garden"), ("bob", "kitchen")])
async def test_turns_of_different_sessions_run_side_by_side(other: tuple[str, str]) -> None:
    locks, both_inside = SessionLocks(), asyncio.Barrier(2)

    async def turn(user: str, session_id: str) -> None:
        async with locks.held(user, session_id):
            await both_inside.wait()  # Passes only when two are here at once.

    async with asyncio.timeout(10):
        await asyncio.gather(turn("alice", "kitchen"), turn(*other))


async def test_a_turn_that_fails_lets_the_next_one_in() -> None:
    locks = SessionLocks()
    with pytest.raises(RuntimeError, match="broken"):
        async with locks.held("alice", "kitchen"):
            raise RuntimeError("broken")

    async with asyncio.timeout(10), locks.held("alice", "kitchen"):
        pass


async def test_a_turn_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    locks, story = SessionLocks(), list[str]()

    async def turn(name: str) -> None:
        async with locks.held("alice", "kitchen"):
            story.append(name)

    async with locks.held("alice", "kitchen"):
        waiting = [asyncio.create_task(turn(name)) for name in "abc"]
        await asyncio.sleep(0)
        waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert story == ["a", "c"]


async def test_a_session_that_nobody_waits_for_is_forgotten() -> None:
    locks = SessionLocks()
    async with locks.held("alice", "kitchen"), locks.held("alice", "garden"):
        assert len(locks._locks) == 2

    assert not locks._locks
    assert not locks._interested
