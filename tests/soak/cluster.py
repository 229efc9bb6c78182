"""`pandora up --cluster` under load: the leader of the queue is killed, and another one steps down."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import msgspec
from nats.aio.client import Client

from tests.soak.audit import Finding
from tests.soak.bus_client import BusClient, Outcomes, connected
from tests.soak.installation import Installation
from tests.soak.ledger import Asked, Ledger
from tests.soak.plan import Options, TurnPlan, draw

KILLED_SECONDS = 10.0
STEPPED_DOWN_SECONDS = 1.0
"""Until the next publish is acknowledged, at most."""
_PUBLISH_SECONDS = 0.4
_AGAIN_SECONDS = 0.1
_WHOLE_SECONDS = 60.0
_POLL_SECONDS = 0.25


class Leaders:
    """Disturbs the cluster twice, and measures how long a publisher waits, at each server."""

    def __init__(
        self, options: Options, installation: Installation, bus: Client, outcomes: Outcomes, ledger: Ledger
    ) -> None:
        self._options = options
        self._installation = installation
        self._bus = bus
        self._outcomes = outcomes
        self._ledger = ledger
        self._next_number = options.turns
        self.counts: Counter[str] = Counter()
        self.last = ""
        self.figures: list[tuple[str, str]] = []
        self.findings: list[Finding] = []

    async def run(self) -> None:
        await asyncio.sleep(self._options.load_seconds * 0.3)
        killed = await self._measure(self._kill_the_leader)
        self._note("killing the leader of TURNS", killed, KILLED_SECONDS)
        await self._until_whole()
        await asyncio.sleep(self._options.load_seconds * 0.2)
        stepped = await self._measure(self._step_down)
        self._note("a planned step-down", stepped, STEPPED_DOWN_SECONDS)

    def _note(self, what: str, seconds: list[float], limit: float) -> None:
        told = ", ".join(f"{one:.2f}" for one in sorted(seconds))
        self.figures.append((f"seconds from {what} to the next acknowledged publish, by server", told))
        if max(seconds) > limit:
            self.findings.append(
                Finding("", f"{what}: {max(seconds):.2f} s, at most {limit:g} s are allowed")
            )

    async def _measure(self, disturb: Callable[[], Awaitable[None]]) -> list[float]:
        """Seconds until a publish was acknowledged, for a publisher at each of the servers."""
        urls = self._installation.nats_urls
        login = self._installation.stack.login()
        publishers = [
            await connected([url, *(other for other in urls if other != url)], login, in_order=True)
            for url in urls
        ]
        try:
            begun = monotonic()
            await disturb()
            return await asyncio.gather(*(self._publish(publisher, begun) for publisher in publishers))
        finally:
            for publisher in publishers:
                await publisher.close()

    async def _publish(self, publisher: Client, begun: float) -> float:
        """A turn like any other: the audit asks for its end as well."""
        client = BusClient(
            publisher,
            self._outcomes,
            self._ledger,
            publish_seconds=_PUBLISH_SECONDS,
            again_seconds=_AGAIN_SECONDS,
        )
        plan = self._drawn()
        asked = Asked(number=plan.number, way="nats", user=plan.user, session_id=plan.session_id)
        self._ledger.asked.append(asked)
        await client.hand_in(plan, asked, plan.chance(self._options.seed))
        seconds = monotonic() - begun
        await client.read_to_end(asked, await client.listen(plan.turn_id))
        return seconds

    def _drawn(self) -> TurnPlan:
        self._next_number += 1
        plan = draw(self._options, self._next_number)
        session_id = f"probe-{self._next_number}"
        return msgspec.structs.replace(
            plan, way="nats", session_id=session_id, cancels_after=None, asks_twice=False
        )

    # --- what is done to it ---

    async def _kill_the_leader(self) -> None:
        leader = str((await self._cluster())["leader"])
        self._installation.kill(leader)
        self.counts[leader] += 1
        self.last = leader

    async def _step_down(self) -> None:
        reply = await self._bus.request("$JS.API.STREAM.LEADER.STEPDOWN.TURNS", b"", timeout=5)
        answer = json.loads(reply.data)
        if not answer.get("success"):
            self.findings.append(Finding("", f"the leader of TURNS did not step down: {answer}"))
        self.last = "step-down"

    async def _until_whole(self) -> None:
        """Every server has all of TURNS again, so that one of them can lead."""
        async with asyncio.timeout(_WHOLE_SECONDS):
            while True:
                with self._ledger.noting("$JS.API.STREAM.INFO.TURNS"):
                    cluster = await self._cluster()
                    replicas = cluster.get("replicas", [])
                    if "leader" in cluster and all(one["current"] for one in replicas):
                        return
                await asyncio.sleep(_POLL_SECONDS)

    async def _cluster(self) -> dict[str, Any]:
        reply = await self._bus.request("$JS.API.STREAM.INFO.TURNS", b"", timeout=5)
        found: dict[str, Any] = json.loads(reply.data).get("cluster", {})
        return found
