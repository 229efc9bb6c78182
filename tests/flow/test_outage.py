"""NATS gone for five seconds, in an installation that the other tests do not share."""

import asyncio
import os
import signal

import pytest

from tests.stack import Stack, pause


@pytest.fixture
def own_stack() -> Stack:
    # A publish is tried for less time than the outage lasts, so that the gateway has to say it.
    return Stack({"REQUEST_TIMEOUT_SECONDS": "1", "PUBLISH_RETRY_SECONDS": "2"})


async def test_an_outage_of_nats_is_said_and_then_over(own_stack: Stack) -> None:
    stack = own_stack
    await asyncio.to_thread(stack.start)
    try:
        await stack.ask("Before the outage the kettle was red.")
        pid = stack.pid_of("nats")

        pause(pid)
        try:
            begun = asyncio.get_running_loop().time()
            refused = []
            while asyncio.get_running_loop().time() < begun + 5.0:
                refused.append(await stack.call("POST", "/v1/turns", {"input": "Is anybody there?"}))
            ready, states = await stack.call("GET", "/readyz")
        finally:
            os.kill(pid, signal.SIGCONT)

        # Nothing was claimed as accepted, and the process said what is away.
        assert len(refused) > 1, "once the outage is known, it is said sooner"
        assert [status for status, _ in refused] == [503] * len(refused)
        assert all("try again" in problem["detail"] for _, problem in refused)
        assert ready == 503, states
        async with asyncio.timeout(30):
            await stack.until_ready()
        after = await stack.ask("After the outage the kettle is blue.")
        assert after["type"] == "turn.saved"
    finally:
        status = await asyncio.to_thread(stack.stop)
    assert status == 0, stack.terminal()
    assert not stack.leftovers()
    stack.remove()
