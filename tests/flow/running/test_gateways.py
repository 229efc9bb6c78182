"""Three gateways behind a plain TCP balancer are one: each knows what another one was told."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.faults.replicas import Replica, accept, are_whole, read_on, replica, text_of
from tests.flow.turns.http_turns import key, post, request, unique, until_speaking, words
from tests.servers.balancer import balanced
from tests.stack import Stack


@asynccontextmanager
async def three_gateways(stack: Stack) -> AsyncIterator[tuple[str, Replica, Replica]]:
    """Gives the balancer's address, and two of the gateways. Each connection goes to the next one."""
    async with AsyncExitStack() as opened:
        more = [opened.enter_async_context(replica(stack, "gateway")) for _ in range(2)]
        first, second = await asyncio.gather(*more)
        ports = [stack.ports["gateway"], first.port, second.port]
        yield f"http://127.0.0.1:{await opened.enter_async_context(balanced(ports))}", first, second


async def test_three_gateways_behind_a_balancer_are_one(slow: Stack) -> None:
    async with three_gateways(slow) as (url, to_be_killed, other):
        body, own_key = {"input": f"{words(30)} {unique('boat')}"}, key()

        # The same request at each of them is one turn.
        answers = [await post(slow, body, own_key, url=url) for _ in range(3)]
        assert {status for status, _ in answers} == {202}
        (turn_id,) = {answer["id"] for _, answer in answers}

        # It is followed at each of them, and to the end where one of them dies.
        following = [asyncio.create_task(read_on([url], slow, turn_id)) for _ in range(3)]
        async with request(slow, "GET", f"/v1/turns/{turn_id}/events", url=url) as response:
            await until_speaking(slow, response)
        to_be_killed.process.send_signal(signal.SIGKILL)
        for events in await asyncio.gather(*following):
            assert are_whole(events)
            assert events[-1]["type"] == "turn.saved"
            assert text_of(events) == events[-1]["output"]

        # The key holds at those that are left. Another one than that which took a turn cancels it.
        assert (await post(slow, body, own_key, url=url))[1]["id"] == turn_id
        long = await accept(slow, words(400), url=other.url)
        status, answer = await slow.call("POST", f"/v1/turns/{long}/cancel")
        assert (status, answer["done"]) == (200, True)
        assert (await read_on([url], slow, long))[-1]["type"] == "turn.cancelled"
