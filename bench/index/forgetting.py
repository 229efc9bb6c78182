"""To forget one turn in stores of 1,000, 100,000 and 1,000,000 messages of users with 100 each.

From `forget.requested` until the receipt says `forgotten`, and searches before and meanwhile. Installations
stand side by side and are asked in turn, so what slows the machine down slows all of them. The largest has
points for its first 100,000 messages only: to write 1,000,000 takes half an hour.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from time import perf_counter

import msgspec
from uuid_utils import uuid7

from bench.index.forgettable import copy_rows, fill_stream, turns_to_forget, write_documents
from bench.index.stored import MADE_UP, Said, fill
from bench.running.figures import Figure, percentile, plain, shown
from bench.running.run import Run
from bench.running.sentences import questions
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.contract.errors import Refused
from shared.contract.events import ForgetRequested, TurnSaved
from shared.contract.requests import GetReceipt, Search

GOAL_GROWTH = 1.5
GOAL_MEANWHILE = 2.0
_FORGETTING_USERS = 10
_LOOK_SECONDS = 0.005
_OPTIMIZE_SECONDS = 60.0
_WARM = 20
_EACH = 100


class Size(msgspec.Struct, frozen=True):
    said: Said
    """With points."""
    copies: int = 0
    """So many times as many rows again, without points."""


SIZES = {
    "1k": Size(Said(10, _EACH)),
    "100k": Size(Said(1_000, _EACH)),
    "1m": Size(Said(1_000, _EACH), copies=9),
}
_QUICK = {"1k": Size(Said(10, _EACH)), "20k": Size(Said(50, _EACH), copies=3)}


class Times(msgspec.Struct, frozen=True):
    """Seconds of each."""

    forgotten: list[float] = []
    before: list[float] = []
    meanwhile: list[float] = []


class Side:
    """One installation: turns that are there to be forgotten, and searches of users that keep theirs."""

    def __init__(self, bus: Bus, said: Said, turns: Sequence[TurnSaved]) -> None:
        self.times = Times()
        self._bus = bus
        self._users = said.names()
        self._turns = random.Random(5).sample(list(turns), len(turns))

    async def search(self, question: str) -> float:
        user = random.Random(question).choice(self._users)
        start = perf_counter()
        await self._bus.ask(Search(user=user, query=question))
        return perf_counter() - start

    async def forget(self) -> float:
        """Seconds until no reader finds one more turn."""
        turn, start = self._turns.pop(), perf_counter()
        order = ForgetRequested(
            forget_id=str(uuid7()),
            user=turn.user,
            scope="turn",
            target=turn.turn_id,
            requested_at=datetime.now(UTC),
        )
        await self._bus.publish(order)
        asked = GetReceipt(user=order.user, forget_id=order.forget_id)
        while True:
            with suppress(Refused):
                if (receipt := await self._bus.ask(asked)).state != "pending":
                    assert {one.store: one.removed for one in receipt.stores}["turns"] == 1, receipt
                    return perf_counter() - start
            await asyncio.sleep(_LOOK_SECONDS)


async def measure(run: Run) -> list[Figure]:
    sizes, rounds, forgets = (_QUICK, 2, 6) if run.quick else (SIZES, 3, 8)
    async with AsyncExitStack() as stack:
        sides = {
            name: await stack.enter_async_context(_filled(run, name, size)) for name, size in sizes.items()
        }
        new = questions(seed=9)
        for _ in range(rounds):
            for side in sides.values():
                await _round(side, list(islice(new, 100)), list(islice(new, 1_000)), forgets)
    return figures_of({name: side.times for name, side in sides.items()})


async def _round(side: Side, before: Sequence[str], meanwhile: Sequence[str], forgets: int) -> None:
    for question in before:
        side.times.before.append(await side.search(question))
    done = asyncio.Event()

    async def keep_asking() -> None:
        for question in meanwhile:
            if done.is_set():
                return
            side.times.meanwhile.append(await side.search(question))

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_asking())
        for _ in range(forgets):
            side.times.forgotten.append(await side.forget())
        done.set()


def figures_of(sides: Mapping[str, Times]) -> list[Figure]:
    """The first is the smallest."""
    least = median(next(iter(sides.values())).forgotten)
    figures: list[Figure] = []
    for name, times in sides.items():
        figures += [
            plain(f"forgetting.p50_{name}", 1000 * median(times.forgotten), "ms"),
            plain(
                f"forgetting.growth_{name}",
                median(times.forgotten) / least,
                "x",
                goal=GOAL_GROWTH,
                ours=f"{shown(1000 * median(times.forgotten))} ms",
                against=f"{shown(1000 * least)} ms",
            ),
            *(_meanwhile(name, times, share) for share in (0.5, 0.99)),
        ]
    return figures


def _meanwhile(name: str, times: Times, share: float) -> Figure:
    before, meanwhile = percentile(times.before, share), percentile(times.meanwhile, share)
    return plain(
        f"forgetting.search_meanwhile_p{round(100 * share)}_{name}",
        meanwhile / before,
        "x",
        goal=GOAL_MEANWHILE if share > 0.5 else None,
        ours=f"{shown(1000 * meanwhile)} ms of {len(times.meanwhile)}",
        against=f"{shown(1000 * before)} ms before",
    )


@asynccontextmanager
async def _filled(run: Run, name: str, size: Size) -> AsyncIterator[Side]:
    installation = run.installation(name, REFLECTOR="off")
    dsn = installation.settings.indexer.dsn
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(installation.running("nats", "postgres"))
        await fill(installation, size.said, optimize_seconds=_OPTIMIZE_SECONDS)
        await copy_rows(dsn, size.said, size.copies)
        settings = installation.settings.local.model_copy(update={"request_timeout_seconds": 30.0})
        bus = await stack.enter_async_context(Bus.connect("orchestrator", settings))
        await declare_streams(bus.jetstream, first_turn_number=1 + size.said.messages * (size.copies + 1))
        async with Bus.connect("indexer", settings) as indexer:
            await fill_stream(bus, indexer, dsn)
        turns = await turns_to_forget(dsn, size.said.names()[:_FORGETTING_USERS])
        await write_documents(installation, turns)
        instead = {"indexer": MADE_UP} if installation.has(MADE_UP) else {}
        await stack.enter_async_context(installation.running("indexer", "orchestrator", **instead))
        side = Side(bus, size.said, turns)
        for question in islice(questions(seed=8), _WARM):
            await side.search(question)
        await side.forget()
        yield side
