"""`make soak-clients`: stock OpenAI clients while everything is killed; exits with 1 if one was wronged."""

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack
from time import monotonic

from nats.aio.client import Client

from tests.servers.balancer import balanced
from tests.soak.audit import Finding
from tests.soak.bus_client import connected
from tests.soak.clients.plan import Plan, draw_requests, options
from tests.soak.clients.programs import Asked, Program
from tests.soak.clients.rules import audit
from tests.soak.installation import Installation, installed
from tests.soak.kills import Killer
from tests.soak.plan import USERS, Options
from tests.soak.report import at_fault, counted, details, quantiles, say
from tests.soak.settling import settle
from tests.soak.stores import Stores, read_points, read_stores

_PROGRESS_SECONDS = 10.0


class Soak:
    """One run."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._asked: list[Asked] = []
        self._errors: Counter[str] = Counter()
        self._kills: Counter[str] = Counter()
        self._wrong: list[Finding] = []
        self._stores = Stores()

    async def run(self) -> int:
        begun = monotonic()
        async with AsyncExitStack() as exits:
            installation = await exits.enter_async_context(installed(cluster=False, with_limits=True))
            say(f"data in {installation.stack.data_dir}; ready after {monotonic() - begun:.0f} s")
            bus = await connected(installation.nats_urls, installation.stack.login())
            exits.push_async_callback(bus.close)
            ports = [int(url.rpartition(":")[2]) for url in installation.gateways]
            port = await exits.enter_async_context(balanced(ports))
            loaded = monotonic()
            await self._load(installation, f"http://127.0.0.1:{port}/v1")
            seconds = monotonic() - loaded
            await self._look(installation, bus)
            self._wrong += [Finding("", what) for what in await installation.stop()]
        self._stores.points = read_points(installation.stack.data_dir)
        if status := self._tell(seconds):
            say(f"everything is kept in {installation.stack.data_dir}")
        else:
            installation.stack.remove()
        return status

    async def _load(self, installation: Installation, base_url: str) -> None:
        killer = Killer(self._options, installation)
        programs = [
            Program(base_url, USERS[client % len(USERS)], self._errors)
            for client in range(self._options.clients)
        ]
        plans, begun = draw_requests(self._options), monotonic()
        progress = asyncio.create_task(self._progress(killer))
        killing = asyncio.create_task(killer.run())
        try:
            async with asyncio.TaskGroup() as group:
                for number, program in enumerate(programs):
                    own = [plan for plan in plans if plan.client == number]
                    group.create_task(self._client(program, own, begun))
            await killing
        finally:
            for task in (progress, killing):
                task.cancel()
            await asyncio.gather(*(program.close() for program in programs))
        self._kills = killer.counts

    async def _client(self, program: Program, plans: list[Plan], begun: float) -> None:
        for plan in plans:
            await asyncio.sleep(max(0.0, begun + plan.begins_after - monotonic()))
            asked = Asked(plan=plan)
            self._asked.append(asked)
            try:
                await program.ask(plan, asked)
            except Exception as error:  # One client's trouble is a finding, not the end of the run.
                asked.faults.append(f"{plan.kind}: {type(error).__name__} {error}"[:400])

    async def _look(self, installation: Installation, bus: Client) -> None:
        say("waiting until all is settled")
        seconds, moving = await settle(installation.stack, bus)
        if moving:
            self._wrong.append(Finding("", f"never settled: {moving}"))
        say(f"settled after {seconds:.0f} s {moving}")
        await installation.stack.until_ready()
        self._stores = await read_stores(installation.stack, bus)

    async def _progress(self, killer: Killer) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            over = sum(one.is_over for one in self._asked)
            say(f"{len(self._asked)} asked, {over} answered, {killer.counts.total()} kills")

    def _tell(self, seconds: float) -> int:
        findings = {**audit(self._asked, self._stores), "seen from outside": self._wrong}
        for line in details(findings, self._stores):
            print(line)
        print(f"\nseed {self._options.seed}; a seed repeats a run's choices, not its timing\n")
        folders = self._stores.folders
        rows = [
            ("requests", counted(Counter[str](one.plan.kind for one in self._asked))),
            ("turns", counted(Counter(folder.status for folder in folders))),
            ("failed as unavailable, internal, refused or timeout", str(len(at_fault(folders)))),
            ("streams that broke off and were asked for again", counted(self._errors)),
            ("from a request to its whole answer", quantiles([one.seconds for one in self._asked])),
            ("kills", counted(self._kills)),
            ("seconds of load", f"{seconds:.0f}"),
            *((f"**{name}**", str(len(found))) for name, found in findings.items()),
        ]
        print("\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]))
        return 1 if any(findings.values()) or at_fault(folders) else 0


def main() -> None:
    given = options()
    print(
        f"{given.turns} requests, {given.kills} kills, seed {given.seed}, {given.clients} clients; "
        f"load for {given.load_seconds:.0f} s",
        flush=True,
    )
    sys.exit(asyncio.run(Soak(given).run()))


main()
