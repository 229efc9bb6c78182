"""Two workers over a real NATS server: a session goes to the one that holds its prefix, where it has room.

Behind each worker is a model server of its own, which counts what it generates.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import pytest
from nats.aio.msg import Msg

from services.orchestrator.phases.last_workers import LastWorkers
from services.orchestrator.phases.nats import BusModel
from shared.bus.connection import Bus
from shared.contract.events import decode
from shared.contract.requests import Generate, GenerateHere, Message, PrefixHeld
from tests.contracts.inference.engines_server import MODEL, ChatServer, chat_server
from tests.contracts.inference.engines_worker import WorkerProcess, worker_process
from tests.servers.nats import bus_to
from tests.servers.processes import pause

_numbers = count()


@dataclass
class Asking:
    """An orchestrator's model, and the workers that it knows."""

    model: BusModel
    workers: LastWorkers

    async def answer(self, turn_id: str, *, after: str = "", engine: str = "") -> None:
        """One turn, which continues another one."""
        request = Generate(
            request_id=f"{turn_id}:1", engine=engine, messages=[Message("user", "one two three")]
        )
        await self.model.generate(request, continues=[after] if after else [])

    async def begin(self, engine: str = "") -> str:
        """The first turn of a session."""
        turn_id = f"turn-{next(_numbers)}"
        await self.answer(turn_id, engine=engine)
        return turn_id

    async def go_on(self, turn_id: str, engine: str = "") -> str:
        """The next turn of its session."""
        await self.has_heard_of(turn_id, engine)
        again = f"turn-{next(_numbers)}"
        await self.answer(again, after=turn_id, engine=engine)
        return again

    async def has_heard_of(self, turn_id: str, engine: str = "") -> None:
        await until(lambda: self.workers.of(engine, [turn_id]) is not None)


@dataclass
class Workers:
    """Two workers, two orchestrators, and what goes over the bus between them."""

    servers: list[ChatServer]
    processes: list[WorkerProcess]
    asking: list[Asking]
    """Patient ones, since the machine may have other work to do."""
    usual: Asking
    to_any: list[str] = field(default_factory=list)
    """The ids of requests that any worker might take."""
    to_one: list[str] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    """How often a worker said that it has answered a request."""

    def generated(self) -> list[int]:
        """How often each worker's server was asked."""
        return [len(server.bodies) for server in self.servers]

    def place_of_next(self, before: list[int]) -> int:
        """The one worker whose server was asked since `before`."""
        asked = [now - then for now, then in zip(self.generated(), before, strict=True)]
        assert sorted(asked) == [0, 1]
        return asked.index(1)

    async def until_both_are_known(self, engine: str) -> None:
        """To every orchestrator. One that knows a single worker prefers none."""
        while not all(self.generated()):
            await self.asking[0].begin(engine)
        known = [asking.workers for asking in (*self.asking, self.usual)]
        await until(lambda: all(workers.are_several(engine) for workers in known))

    async def session_at(self, place: int) -> str:
        """The first turn of a session that this worker answered."""
        while True:
            before = self.generated()
            turn_id = await self.asking[0].begin()
            if self.place_of_next(before) == place:
                await self.usual.has_heard_of(turn_id)
                return turn_id


@asynccontextmanager
async def two_workers(nats_url: str, **settings: str) -> AsyncIterator[Workers]:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(chat_server()) for _ in range(2)]
        processes = [
            await stack.enter_async_context(
                worker_process(
                    NATS_URL=nats_url,
                    INFERENCE_ENGINE="openai",
                    OPENAI_BASE_URL=server.url,
                    MODEL=MODEL,
                    **settings,
                )
            )
            for server in servers
        ]
        buses = [await stack.enter_async_context(bus_to(nats_url)) for _ in range(4)]
        asking = [await _asking(bus, preference_seconds=30) for bus in buses[:2]]
        workers = Workers(servers, processes, asking, await _asking(buses[2]))
        await _overhear(buses[3], workers)
        for process in processes:
            await process.wait_until("/readyz", 200, seconds=60)
        await workers.until_both_are_known(settings.get("INFERENCE_NAME", ""))
        yield workers


async def _asking(bus: Bus, **more: float) -> Asking:
    workers = LastWorkers()
    await workers.listen(bus)
    await bus.connection.flush()
    return Asking(BusModel(bus, silence_seconds=60, workers=workers, **more), workers)


async def _overhear(bus: Bus, workers: Workers) -> None:
    async def to_any(message: Msg) -> None:
        workers.to_any.append(decode(Generate, message.data).request_id)

    async def to_one(message: Msg) -> None:
        workers.to_one.append(decode(GenerateHere, message.data).request.request_id)

    async def held(message: Msg) -> None:
        workers.held[decode(PrefixHeld, message.data).request_id] += 1

    await bus.connection.subscribe(Generate.subject, cb=to_any)
    await bus.connection.subscribe(GenerateHere.address_at("*"), cb=to_one)
    await bus.connection.subscribe(PrefixHeld.subject, cb=held)
    await bus.connection.flush()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # it happens in other processes
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["", "small"])
async def test_a_session_stays_with_its_worker_whichever_orchestrator_asks(nats_url: str, name: str) -> None:
    async with two_workers(nats_url, INFERENCE_NAME=name) as workers:
        one, other = workers.asking
        for _ in range(4):
            before = workers.generated()
            turn_id = await one.begin(name)
            place = workers.place_of_next(before)

            for asking in (other, one) * 3:
                before = workers.generated()
                turn_id = await asking.go_on(turn_id, name)
                assert workers.place_of_next(before) == place


async def test_a_session_whose_worker_has_died_is_answered_by_another(nats_url: str) -> None:
    async with two_workers(nats_url) as workers:
        turn_id = await workers.session_at(0)
        workers.processes[0].process.kill()
        await workers.processes[0].process.wait()

        before = workers.generated()
        await workers.asking[0].go_on(turn_id)

        assert workers.place_of_next(before) == 1
        assert workers.to_one == []


async def test_a_busy_worker_leaves_its_session_to_any_worker(nats_url: str) -> None:
    async with two_workers(nats_url, BUSY_GENERATIONS="1") as workers:
        turn_id = await workers.session_at(0)
        workers.servers[0].word_seconds = 0.5
        busy = asyncio.create_task(workers.asking[0].go_on(turn_id))
        await until(lambda: workers.servers[0].running == 1)
        to_one = len(workers.to_one)

        before = workers.generated()
        await workers.asking[0].answer("beside", after=turn_id)

        assert sum(workers.generated()) == sum(before) + 1
        assert "beside:1" in workers.to_any
        assert len(workers.to_one) == to_one
        await busy
        workers.servers[0].word_seconds = 0.0
        await workers.asking[0].answer("afterwards", after=turn_id)
        await until(lambda: "afterwards:1" in workers.to_one)


async def test_a_worker_that_says_nothing_is_not_waited_for_and_nothing_is_generated_twice(
    nats_url: str,
) -> None:
    async with two_workers(nats_url) as workers:
        turn_id = await workers.session_at(0)
        before = workers.generated()
        frozen = workers.processes[0].process

        pause(frozen.pid)
        try:
            asked = asyncio.create_task(workers.usual.answer("slow", after=turn_id))
            await until(lambda: "slow:1" in workers.to_any)
        finally:
            frozen.send_signal(signal.SIGCONT)
        await asked  # NATS may have given it to the worker that was frozen: then that one answers it now.

        # What was sent to it while it stood still, it has read before this.
        await workers.asking[0].go_on(turn_id)
        assert "slow:1" not in workers.to_one
        assert workers.held["slow:1"] == 1
        assert sum(workers.generated()) == sum(before) + 2
