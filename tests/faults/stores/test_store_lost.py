"""The disk of NATS is lost while everything runs: streams are made anew, and numbers go on rising."""

import os
import shutil
import signal

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import until_back
from tests.faults.stores.conftest import QUEUE_LIMIT
from tests.stack import Stack


async def test_turn_numbers_rise_also_after_the_store_of_nats_was_lost(
    small: Stack, slow: ChatServer
) -> None:
    slow.word_seconds = 0.0
    before = [await small.tell(f"Number {number}") for number in range(3)]

    os.kill(small.pid_of("nats"), signal.SIGKILL)
    shutil.rmtree(small.data_dir / "nats")
    await until_back(small)
    after = [await small.tell(f"After {number}") for number in range(3)]

    numbers = [turn["turn_number"] for turn in (*before, *after)]
    assert numbers == sorted(set(numbers))
    assert after[0]["turn_number"] > before[-1]["turn_number"] + QUEUE_LIMIT, "as many may have waited unseen"
    status, turn = await small.call("GET", f"/v1/turns/{before[0]['turn_id']}")
    assert (status, turn["status"]) == (200, "saved")
