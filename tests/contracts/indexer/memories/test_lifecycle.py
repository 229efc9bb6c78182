"""A thousand simulated users: what is known of them is true now, theirs, sourced, and gone once forgotten.

Real reading, real steps, a real PostgreSQL, a real Qdrant Edge. The log tells the figures (docs/memories.md).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from services.orchestrator.reflection.extraction import by_patterns
from shared.contract.events import ForgetRequested, TurnSaved
from shared.contract.memories import Memory
from shared.contract.requests import ListMemories, MemoryFilter
from tests.contracts.indexer.memories.lives import (
    ATTRIBUTES,
    Forgets,
    Step,
    Told,
    all_days,
    life_of,
    true_now,
)
from tests.contracts.indexer.memories.memory_room import Room, opened_room
from tests.unit.indexer.memories.memories_room import NOON

log = logging.getLogger(__name__)
USERS = 1000
AT_ONCE = 8


class Audit:
    """Lives users, and counts what is wrong with the answers."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def live(self, number: int) -> None:
        steps = life_of(number)
        user = f"user-{number}"
        for n, step in enumerate(steps):
            await self._take(step)
            if isinstance(step, Forgets) or n % 4 == 3:
                await self._ask(user, steps[: n + 1])
        turns = [step.turn for step in steps if isinstance(step, Told)]
        await self._ask(user, steps)
        await self._check_sources(user, turns)
        await self._check_forgetting(user, turns)

    async def _take(self, step: Step) -> None:
        match step:
            case Told(turn=turn):
                await self._deliver([turn])
            case Forgets(scope="memory", told=told):
                await self._forget(step, next((one.memory_id for one in by_patterns(told.turn)), "none"))
            case Forgets(scope="turn", told=told):
                await self._forget(step, told.turn.turn_id)
            case Forgets(scope="session", told=told):
                await self._forget(step, told.turn.session_id)

    async def _deliver(self, turns: Iterable[TurnSaved]) -> None:
        for turn in turns:
            for event in by_patterns(turn):
                for _ in range(1 + (len(turn.input) % 5 == 0)):  # Some come twice.
                    await self._room.memories.on_memory_stated(event)

    async def _forget(self, step: Forgets, target: str) -> None:
        order = ForgetRequested(
            forget_id=f"f-{target}",
            user=step.told.turn.user,
            scope=step.scope,
            target=target,
            requested_at=step.at,
        )
        await self._room.memories.forget(order)

    async def _known(self, user: str, **where: object) -> list[Memory]:
        asked = ListMemories(user=user, where=msgspec.convert(where, MemoryFilter), limit=100)
        return (await self._room.memories.list_memories(asked)).memories

    async def _ask(self, user: str, steps: list[Step]) -> None:
        """An answer is stale where the value no longer holds, and foreign where the user never said it."""
        told = {step.fact for step in steps if isinstance(step, Told) and step.fact}
        expected = {(attribute, value) for attribute, values in true_now(steps).items() for value in values}
        known = {(one.attribute, one.value) for one in await self._known(user)}
        self.counts["answers"] += len(known)
        self.counts["expected"] += len(expected)
        self.counts["missing"] += len(expected - known)
        for fact in known - expected:
            self.counts["stale" if fact in told else "foreign"] += 1
            self.wrong.append(f"{user}: {fact}")

    async def _check_sources(self, user: str, turns: list[TurnSaved]) -> None:
        said = {turn.turn_id: turn.input for turn in turns}
        for memory in await self._known(user, with_history=True):
            sourced = memory.evidence and all(
                one.quote and one.quote in said.get(one.turn_id or "", "") for one in memory.evidence
            )
            self.counts["memories"] += 1
            self.counts["without a source"] += not sourced

    async def _check_forgetting(self, user: str, turns: list[TurnSaved]) -> None:
        """Everything goes, and late deliveries of the same bring nothing back."""
        order = ForgetRequested(forget_id=f"f-{user}", user=user, scope="user", requested_at=self._room.now)
        await self._room.memories.forget(order)
        await self._deliver(turns[-3:])
        left = await self._known(user, with_history=True)
        self.counts["left after forgetting"] += len(left)


@pytest.fixture
async def audit(database: str, tmp_path: Path) -> Audit:
    async with opened_room(database, tmp_path / "memories") as room:
        room.now = NOON + all_days()
        audit = Audit(room)
        numbers = iter(range(USERS))

        async def live_on() -> None:
            for number in numbers:
                await audit.live(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(live_on())
        audit.counts["points left"] = await room.index.count()
        return audit


async def test_a_thousand_users_get_true_answers_that_are_their_own(audit: Audit) -> None:
    counts = audit.counts
    log.info("%d users: %s", USERS, dict(counts))

    assert counts["answers"] > 5 * USERS
    assert counts["stale"] + counts["foreign"] <= 0.01 * counts["answers"], audit.wrong[:20]
    assert counts["missing"] <= 0.01 * counts["expected"]
    assert counts["memories"] > 2 * USERS
    assert counts["without a source"] == 0
    assert counts["left after forgetting"] == counts["points left"] == 0


def test_lives_hold_changes_returns_words_of_others_and_forgetting() -> None:
    steps = [step for number in range(USERS) for step in life_of(number)]

    told = [step for step in steps if isinstance(step, Told)]
    assert {step.scope for step in steps if isinstance(step, Forgets)} == {"turn", "memory", "session"}
    assert {step.fact[0] for step in told if step.fact} == set(ATTRIBUTES)
    assert sum(step.fact is None for step in told) > USERS
