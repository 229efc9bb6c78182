"""python -m bench.turns.first_token [TURNS [STORED]]: where the time to a turn's first token is spent.

One turn at a time, over the whole stack, with an engine that answers at once. The times are those at which
the parts' messages pass over the bus. STORED turns of users with 1,000 each are there before; the first of
these users asks.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import uvloop
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg

from bench.index.indexed import Indexed
from bench.index.stored import MADE_UP, Said, declare_after, fill
from bench.running.load import Client
from bench.running.parts import Installation, server
from bench.running.sentences import sentences
from bench.turns.whole import MARKER, saved_id
from shared.bus.rights import OPERATOR
from shared.contract.events import TurnRequested
from shared.contract.requests import Generate, Recall
from tests.servers.ports import free_ports

STEPS: Final = (
    ("gateway: the request is read, checked and stored", "requested"),
    ("orchestrator: the turn is taken up", "recall"),
    ("indexer: the question is embedded and searched for", "recalled"),
    ("orchestrator: the prompt is made", "generate"),
    ("inference worker and engine: the first token", "token"),
    ("gateway: the token is sent on", "answered"),
)
"""What happens until each moment."""
_WARM: Final = 30
_TURNS_EACH: Final = 1_000
_OPTIMIZE_SECONDS: Final = 100.0
_KEY: Final = "key-for-the-bench"
_REST_SECONDS: Final = 0.2
"""So that no work on an earlier turn is measured."""


class Passing:
    """When the messages of the turn at hand passed, by their moment's name."""

    def __init__(self) -> None:
        self.moments: dict[str, float] = {}
        self._answered_in = ""

    def clear(self) -> None:
        self.moments.clear()
        self._answered_in = ""

    async def follow(self, installation: Installation, stack: AsyncExitStack) -> None:
        """Each subject is heard with the rights of the part that it goes to."""
        heard: list[tuple[str, str, Callable[[Msg], None]]] = [
            ("orchestrator", TurnRequested.subject, lambda _: self._note("requested")),
            ("indexer", Recall.subject, self._on_recall),
            ("orchestrator", "_INBOX.orchestrator.>", self._on_answer),
            ("inference", Generate.subject, lambda _: self._note("generate")),
            (OPERATOR, "turn.stream.*", self._on_event),
        ]
        for identity, subject, note in heard:
            connection = await stack.enter_async_context(_connected(installation, identity))
            await connection.subscribe(subject, cb=_callback(note))
            await connection.flush()

    def _note(self, moment: str) -> None:
        self.moments.setdefault(moment, perf_counter())

    def _on_recall(self, message: Msg) -> None:
        self._note("recall")
        self._answered_in = message.reply

    def _on_answer(self, message: Msg) -> None:
        if message.subject == self._answered_in:
            self._note("recalled")

    def _on_event(self, message: Msg) -> None:
        if MARKER in message.data:
            self._note("token")


def _callback(note: Callable[[Msg], None]) -> Callable[[Msg], Awaitable[None]]:
    async def called(message: Msg) -> None:
        note(message)

    return called


@asynccontextmanager
async def _connected(installation: Installation, identity: str) -> AsyncIterator[Connection]:
    connection = await installation.bus(identity)
    try:
        yield connection
    finally:
        await connection.close()


async def _store(installation: Installation, turns: int) -> dict[str, str]:
    """Which module runs instead of the indexer then."""
    if not turns:
        return {}
    stored = Said(-(-turns // _TURNS_EACH), 2 * _TURNS_EACH)
    async with installation.running("nats", "postgres"):
        await fill(installation, stored, optimize_seconds=_OPTIMIZE_SECONDS)
        await declare_after(installation, stored)
    return {"indexer": MADE_UP}


async def measure(turns: int, stored: int, folder: Path) -> list[list[float]]:
    """The milliseconds of each step, of each turn."""
    (model_port,) = free_ports(1)
    installation = Installation(
        folder,
        INFERENCE_ENGINE="openai",
        OPENAI_BASE_URL=f"http://127.0.0.1:{model_port}/v1",
        API_KEYS=f"{Said(1, 0).names()[0]}:{_KEY}",
    )
    instead = await _store(installation, stored)
    said, number, passing = sentences(seed=3), count(), Passing()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server("bench.engines.instant_server", model_port, "sentence"))
        services = ("indexer", "orchestrator", "inference", "gateway")
        await stack.enter_async_context(installation.running("nats", ("postgres",), services, **instead))
        indexed = await stack.enter_async_context(Indexed.followed(await installation.bus()))
        await passing.follow(installation, stack)

        async def turn() -> list[float]:
            client = await Client.connected(installation.gateway_port, MARKER, _KEY)
            passing.clear()
            begun = perf_counter()
            answer = await client.post(
                "/v1/turns", {"input": next(said), "session_id": f"one-{next(number)}"}
            )
            client.close()
            await indexed.wait_for([saved_id(answer)])
            await asyncio.sleep(_REST_SECONDS)
            passing.moments["answered"] = begun + answer.first_seconds
            times = [begun, *(passing.moments[moment] for _, moment in STEPS)]
            return [1000 * (then - before) for before, then in pairwise(times)]

        for _ in range(_WARM):
            await turn()
        return [await turn() for _ in range(turns)]


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:]]
    turns, stored = given + [60, 0][len(given) :]
    with TemporaryDirectory(prefix="pandora-bench-") as folder:
        took = uvloop.run(measure(turns, stored, Path(folder)))
    for (step, _), times in zip(STEPS, zip(*took, strict=True), strict=True):
        print(f"{median(times):6.1f} ms  {step}")
    print(f"{median(map(sum, took)):6.1f} ms  all of it, the median of {turns} turns")


if __name__ == "__main__":
    main()
