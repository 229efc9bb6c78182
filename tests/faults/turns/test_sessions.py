"""Turns of one session run one after another, whichever of two orchestrators runs them."""

import asyncio
import itertools
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import Replica, accept, ended, kill
from tests.stack import Stack


async def test_turns_of_a_session_never_overlap_and_other_sessions_run_meanwhile(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    slow.word_seconds = 0.02
    sessions = [f"order-{uuid4().hex[:8]}" for _ in range(4)]

    ids = [[await accept(faulty, f"One two {n}", session_id=name) for n in range(6)] for name in sessions]
    turns = [[await ended(faulty, turn_id) for turn_id in line] for line in ids]

    for line in turns:
        assert [turn["status"] for turn in line] == ["saved"] * 6
        spans = [span(faulty, turn) for turn in line]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), spans
    first, second = ([span(faulty, turn) for turn in line] for line in turns[:2])
    assert first[0][0] < second[-1][1], "sessions run side by side"
    assert second[0][0] < first[-1][1]


async def test_a_session_goes_on_in_order_when_its_process_dies(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    slow.word_seconds = 0.05
    session = f"order-{uuid4().hex[:8]}"
    ids = [await accept(faulty, f"One two three {number}", session_id=session) for number in range(6)]
    await asyncio.sleep(0.3)

    kill(faulty, "orchestrator")

    turns = [await ended(faulty, turn_id) for turn_id in ids]
    assert [turn["status"] for turn in turns] == ["saved"] * 6
    spans = [span(faulty, turn) for turn in turns]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), spans


async def test_a_turn_knows_the_one_before_it_though_another_process_ran_that(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    """Several in a row, faster than the index: among them are some that change hands."""
    slow.word_seconds = 0.0
    session = f"history-{uuid4().hex[:8]}"

    for number in range(6):
        await faulty.ask(f"Number {number}", session_id=session)

    said = [message["content"] for message in slow.bodies[-1]["messages"] if message["role"] == "user"]
    assert said == [f"Number {number}" for number in range(6)]


def span(stack: Stack, turn: dict[str, Any]) -> tuple[datetime, datetime]:
    """When the turn's synthesis began and ended."""
    [folder] = (Path(stack.data_dir) / "turns").rglob(f"turn_{turn['turn_number']:06d}")
    metrics = json.loads((folder / "metrics.json").read_text())
    (run,) = (run for run in metrics["phases"] if run["phase"] == "synthesis")
    begun = datetime.fromisoformat(run["started_at"])
    return begun, datetime.fromtimestamp(begun.timestamp() + run["seconds"], begun.tzinfo)
