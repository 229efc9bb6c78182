"""A process that is cut off from the bus, while everything else goes on without it."""

import asyncio
import os
import signal
from collections import Counter
from time import monotonic

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import accept, are_whole, ended, read_on, replica, text_of, until_sent
from tests.faults.turns.test_kills import outcomes_of, running_turns
from tests.servers.processes import pause
from tests.servers.proxy import proxy_to
from tests.stack import Stack

LONG = " ".join(f"word{number}" for number in range(20))


async def test_turns_of_an_orchestrator_that_is_cut_off_are_taken_over_and_end_once(
    faulty: Stack, slow: ChatServer
) -> None:
    async with (
        proxy_to(faulty.ports["nats"]) as proxy,
        replica(faulty, "orchestrator", NATS_URL=f"nats://127.0.0.1:{proxy.port}") as second,
    ):
        before, ids = len(slow.bodies), list[str]()
        slow.word_seconds = 3.0  # None ends before the cut.

        async def taken(number: int, tries: int = 1) -> float:
            """Hands turns in, waits until all of them run, and says how many the second one has."""
            ids.extend(await asyncio.gather(*(accept(faulty, LONG, tries=tries) for _ in range(number))))
            await until_sent(lambda: len(slow.bodies) >= before + len(ids))
            return await running_turns(second.url)

        # Who takes a turn is chance, and the way through the proxy is the longer one.
        pause(faulty.pid_of("orchestrator"))
        try:
            cut_off = await taken(3, tries=10)  # The gateway also asks the one that is paused.
        finally:
            os.kill(faulty.pid_of("orchestrator"), signal.SIGCONT)
        await faulty.until_ready()
        # It may have to connect anew first, and the other one takes them until then.
        deadline = monotonic() + 30.0
        while cut_off == len(ids) and monotonic() < deadline:
            await asyncio.sleep(0.5)
            cut_off = await taken(1)

        proxy.cut()
        slow.word_seconds = 0.05
        turns = [await ended(faulty, turn_id) for turn_id in ids]
        proxy.heal()
        await second.until_ready()
        await asyncio.sleep(2.0)

        assert 0 < cut_off < len(ids), "each of the two had some of them"
        assert {turn["status"] for turn in turns} == {"saved"}
        assert sum(turn["attempt"] > 1 for turn in turns) == cut_off
        for turn_id in ids:
            events = await read_on([faulty.gateway_url], faulty, turn_id)
            assert are_whole(events)
            assert text_of(events) == LONG
            assert Counter(await outcomes_of(faulty, turn_id))["turn.saved"] == 1


async def test_a_reader_whose_connection_is_cut_goes_on_where_it_was(faulty: Stack, slow: ChatServer) -> None:
    async with proxy_to(faulty.ports["gateway"]) as proxy:
        turn_id = await accept(faulty, LONG)
        reading = asyncio.create_task(read_on([f"http://127.0.0.1:{proxy.port}"], faulty, turn_id))
        for _ in range(3):
            await asyncio.sleep(0.4)
            proxy.cut()
            proxy.heal()
        events = await reading

    assert are_whole(events)
    assert text_of(events) == LONG
    assert events[-1]["type"] == "turn.saved"
