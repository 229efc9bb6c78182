"""`make soak`: turns by the thousand while everything is killed; exits with 1 where anything went wrong."""

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack
from time import monotonic

import msgspec
from nats.aio.client import Client

from tests.soak.audit import Finding, audit
from tests.soak.bus_client import BusClient, Outcomes, connected
from tests.soak.cluster import Leaders
from tests.soak.http_client import HttpClient
from tests.soak.installation import Installation, installed
from tests.soak.kills import Killer
from tests.soak.later import Later
from tests.soak.ledger import Ledger
from tests.soak.load import Load
from tests.soak.plan import Options, draw_turns
from tests.soak.report import at_fault, details, say, tell
from tests.soak.settling import settle
from tests.soak.stores import Stores, read_points, read_stores

_PROGRESS_SECONDS = 10.0


class Soak:
    """One run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.ledger = Ledger()
        self.stores = Stores()
        self.kills: Counter[str] = Counter()
        self.wrong: list[Finding] = []
        """What the audit of the stores cannot see."""
        self.figures: list[tuple[str, str]] = []
        self.seconds = ""

    async def run(self) -> int:
        begun = monotonic()
        async with AsyncExitStack() as exits:
            installation = await exits.enter_async_context(installed(cluster=self.options.cluster))
            folder = installation.stack.data_dir
            say(f"data in {folder}; ready after {monotonic() - begun:.0f} s")
            bus = await connected(installation.nats_urls, installation.stack.login())
            exits.push_async_callback(bus.close)
            http = HttpClient(installation.stack, installation.gateways, self.ledger)
            exits.push_async_callback(http.close)
            await self._load(installation, http, bus)
            await self._look(installation, http, bus)
            self.wrong += [Finding("", what) for what in await installation.stop()]
        self.stores.points = read_points(folder)
        self.seconds += f", {monotonic() - begun:.0f} in all"
        (folder / "soak.json").write_bytes(msgspec.json.encode(self.ledger.asked, enc_hook=repr))
        if status := self._tell():
            say(f"everything is kept in {folder}")
        else:
            installation.stack.remove()
        return status

    async def _load(self, installation: Installation, http: HttpClient, bus: Client) -> None:
        outcomes = Outcomes(bus)
        killer: Killer | Leaders = (
            Leaders(self.options, installation, bus, outcomes, self.ledger)
            if self.options.cluster
            else Killer(self.options, installation)
        )
        load = Load(self.options, http, BusClient(bus, outcomes, self.ledger), self.ledger)
        begun = monotonic()
        aside = [
            asyncio.create_task(outcomes.follow(self.ledger)),
            asyncio.create_task(self._progress(killer)),
        ]
        killing = asyncio.create_task(killer.run())
        try:
            await load.run(draw_turns(self.options))
            await killing
        finally:
            for task in (*aside, killing):
                task.cancel()
        self.kills, self.figures = killer.counts, killer.figures
        self.wrong += killer.findings
        self.seconds = f"{monotonic() - begun:.0f} of load"

    async def _look(self, installation: Installation, http: HttpClient, bus: Client) -> None:
        say("waiting until all is settled")
        seconds, moving = await settle(installation.stack, bus)
        self.seconds += f", {seconds:.0f} until settled"
        if moving:
            self.wrong.append(Finding("", f"never settled: {moving}"))
        say(f"settled after {seconds:.0f} s {moving}")
        await installation.stack.until_ready()
        self.stores = await read_stores(installation.stack, bus)
        self.wrong += await Later(http, self.ledger, self.stores, self.options.seed).findings()

    async def _progress(self, killer: Killer | Leaders) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            ended = sum(turn.has_ended for turn in self.ledger.asked)
            open_turns = len(self.ledger.accepted) - ended
            say(
                f"{len(self.ledger.asked)} said, {ended} ended, {open_turns} open, "
                f"{killer.counts.total()} kills (last {killer.last or 'none'}), "
                f"{self.ledger.errors.total()} errors"
            )

    def _tell(self) -> int:
        findings = audit(self.ledger.asked, self.stores)
        findings["seen from outside"] = self.wrong
        findings["clients' errors that are bugs"] = [Finding("", bug) for bug in self.ledger.bugs]
        for line in details(findings, self.stores):
            print(line)
        print(f"\nseed {self.options.seed}; a seed repeats a run's choices, not its timing\n")
        figures = [*self.figures, ("seconds", self.seconds)]
        print("\n".join(tell(self.ledger, self.stores, self.kills, findings, figures)))
        return 1 if any(findings.values()) or at_fault(self.stores.folders) else 0


def main() -> None:
    options = Options.from_environment()
    if options.cluster:  # Its disturbances are two, and its own.
        options = msgspec.structs.replace(options, kills=0)
    print(
        f"{options.turns} turns, {options.kills} kills, seed {options.seed}, {options.clients} clients; "
        f"load for {options.load_seconds:.0f} s",
        flush=True,
    )
    sys.exit(asyncio.run(Soak(options).run()))


main()
