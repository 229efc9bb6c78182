"""Work in a thread that can be left."""

import asyncio
import threading

import pytest

from shared.process.threads import in_daemon_thread

PATIENCE = 10.0
"""Seconds that no test should need."""


async def test_the_result_comes_from_a_thread_of_that_name() -> None:
    thread = await in_daemon_thread(threading.current_thread, name="a thread")

    assert (thread.name, thread.daemon) == ("a thread", True)


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3)])
async def test_what_the_work_raises_is_raised(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        await in_daemon_thread(fail, name="a thread")


async def test_a_thread_that_hangs_is_left_and_its_end_is_noted() -> None:
    released, ended = threading.Event(), asyncio.Event()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await in_daemon_thread(lambda: released.wait(PATIENCE), name="a thread", on_end=ended.set)
    assert not ended.is_set()

    released.set()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
