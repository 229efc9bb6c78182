"""The clients: each goes through its turns one after the other, all of them side by side."""

import asyncio
from time import monotonic

from tests.soak.bus_client import BusClient
from tests.soak.http_client import HttpClient
from tests.soak.ledger import Asked, Ledger
from tests.soak.plan import Options, TurnPlan


class Load:
    def __init__(self, options: Options, http: HttpClient, bus: BusClient, ledger: Ledger) -> None:
        self._options = options
        self._http = http
        self._bus = bus
        self._ledger = ledger

    async def run(self, plans: list[TurnPlan]) -> None:
        self._ledger.begun_at = monotonic()
        async with asyncio.TaskGroup() as group:
            for client in range(self._options.clients):
                group.create_task(self._client([plan for plan in plans if plan.client == client]))

    async def _client(self, plans: list[TurnPlan]) -> None:
        for plan in plans:
            await asyncio.sleep(max(0.0, self._ledger.begun_at + plan.begins_after - monotonic()))
            asked = Asked(number=plan.number, way=plan.way, user=plan.user, session_id=plan.session_id)
            self._ledger.asked.append(asked)
            try:
                await self._take(plan, asked)
            except Exception as error:  # One client's trouble is a finding, not the end of the run.
                self._ledger.errors[f"{plan.way} client: !{type(error).__name__} {error}"] += 1

    async def _take(self, plan: TurnPlan, asked: Asked) -> None:
        cancelling = asyncio.create_task(self._cancel(plan, asked))
        try:
            await (self._over_nats if plan.way == "nats" else self._over_http)(plan, asked)
            if asked.turn_id:
                await cancelling
        finally:
            cancelling.cancel()

    async def _over_http(self, plan: TurnPlan, asked: Asked) -> None:
        chance = plan.chance(self._options.seed)
        leaves = list(plan.leaves_after)
        await self._http.hand_in(plan, asked, chance, leaves)
        if asked.turn_id:
            await self._http.read_to_end(asked, chance, leaves)
            if plan.asks_twice:
                await self._http.hand_in_again(plan, asked, chance)

    async def _over_nats(self, plan: TurnPlan, asked: Asked) -> None:
        chance = plan.chance(self._options.seed)
        heard = await self._bus.listen(plan.turn_id)
        await self._bus.hand_in(plan, asked, chance)
        if asked.is_accepted:
            await self._bus.read_to_end(asked, heard)
            if plan.asks_twice:
                await self._bus.hand_in_again(plan, chance)

    async def _cancel(self, plan: TurnPlan, asked: Asked) -> None:
        """Over the way that the turn came."""
        if plan.cancels_after is None:
            return
        await asked.is_known.wait()
        await asyncio.sleep(plan.cancels_after)
        chance = plan.chance(self._options.seed + 1)
        await (self._bus if plan.way == "nats" else self._http).cancel(asked, chance)
