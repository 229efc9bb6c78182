"""The disk of NATS is lost while everything runs: streams are made anew, and numbers go on rising."""

import asyncio
import os
import shutil
import signal

from tests.faults.replicas import until_back
from tests.stack import Stack


async def test_turn_numbers_rise_also_after_the_store_of_nats_was_lost() -> None:
    stack = Stack({"QUEUE_LIMIT_TURNS": "100"})
    await asyncio.to_thread(stack.start)
    try:
        before = [await stack.tell(f"Number {number}") for number in range(3)]

        os.kill(stack.pid_of("nats"), signal.SIGKILL)
        shutil.rmtree(stack.data_dir / "nats")
        await until_back(stack)
        after = [await stack.tell(f"After {number}") for number in range(3)]

        numbers = [turn["turn_number"] for turn in (*before, *after)]
        assert numbers == sorted(set(numbers))
        assert after[0]["turn_number"] > before[-1]["turn_number"] + 100, "as many may have waited unseen"
        status, turn = await stack.call("GET", f"/v1/turns/{before[0]['turn_id']}")
        assert (status, turn["status"]) == (200, "saved")
    finally:
        status = await asyncio.to_thread(stack.stop)
    assert status == 0, stack.terminal()
    stack.remove()
