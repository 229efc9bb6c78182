"""A client over HTTP: any gateway, an Idempotency-Key, and readers that leave and come back."""

import asyncio
from random import Random
from time import monotonic
from typing import Any

import aiohttp
import msgspec

from tests.soak.ledger import AWAY, Asked, Ledger, see_event
from tests.soak.plan import KEYS, TurnPlan
from tests.stack import Stack

PATIENCE_SECONDS = 180.0
"""After so long without what it waits for a client gives up, and the audit says so."""
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=20.0)
_ANSWER = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0)


class HttpClient:
    def __init__(self, stack: Stack, gateways: list[str], ledger: Ledger) -> None:
        self._stack = stack
        self._gateways = gateways
        self._ledger = ledger
        # A connection each: a gateway that dies must not take the requests of other clients along.
        self._http = aiohttp.ClientSession(
            timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )

    async def close(self) -> None:
        await self._http.close()

    async def hand_in(self, plan: TurnPlan, asked: Asked, chance: Random, leaves: list[int]) -> None:
        """Says it until it is accepted; with streaming, reads on until the connection ends."""
        until = monotonic() + PATIENCE_SECONDS
        while not asked.turn_id and monotonic() < until:
            try:
                await self._post(plan, asked, chance, leaves)
            except AWAY as error:
                self._ledger.errors[f"POST /v1/turns: {type(error).__name__}"] += 1
            if not asked.turn_id:
                await asyncio.sleep(chance.uniform(0.2, 1.0))

    async def _post(self, plan: TurnPlan, asked: Asked, chance: Random, leaves: list[int]) -> None:
        streams = plan.way == "http_stream"
        headers = {**_headers(plan.user), "idempotency-key": plan.key}
        if streams:
            headers["accept"] = "text/event-stream"
        body = {"input": plan.text, "session_id": plan.session_id, "metadata": {"soak": str(plan.number)}}
        asked.connections += 1
        async with self._http.post(
            f"{chance.choice(self._gateways)}/v1/turns",
            json=body,
            headers=headers,
            timeout=_TIMEOUT if streams else _ANSWER,
        ) as response:
            if response.status == 202:
                accepted = await response.json()
                asked.tell(accepted["id"], accepted["turn_number"])
                asked.accept()
            elif response.status == 200 and streams:
                await self._read(response, asked, leaves.pop() if leaves else None)
            else:
                await self._refused("POST /v1/turns", response)

    async def hand_in_again(self, plan: TurnPlan, asked: Asked, chance: Random) -> None:
        """Once more with the same key: the answer must be the same turn."""
        again = Asked(number=plan.number, way="http", user=plan.user, session_id=plan.session_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not again.is_accepted:
                with self._ledger.noting("POST /v1/turns again"):
                    await self._post(_without_streaming(plan), again, chance, [])
                if not again.is_accepted:
                    await asyncio.sleep(chance.uniform(0.2, 1.0))
        asked.told_ids |= again.told_ids
        asked.told_numbers |= again.told_numbers

    # --- reading ---

    async def read_to_end(self, asked: Asked, chance: Random, leaves: list[int]) -> None:
        """Reads over as many connections as it takes, each at any gateway, from the last event that came."""
        until = monotonic() + PATIENCE_SECONDS
        while not asked.has_ended:
            if monotonic() > until:
                asked.faults.append(f"no last event within {PATIENCE_SECONDS:g} s of reading")
                return
            before = asked.last_index
            with self._ledger.noting("GET /v1/turns/{id}/events"):
                await self._resume(asked, chance, leaves.pop() if leaves else None)
            if asked.last_index == before:
                await asyncio.sleep(chance.uniform(0.1, 0.5))

    async def _resume(self, asked: Asked, chance: Random, leave_after: int | None) -> None:
        headers = _headers(asked.user)
        if asked.last_index >= 0:
            headers["last-event-id"] = str(asked.last_index)
        asked.connections += 1
        url = f"{chance.choice(self._gateways)}/v1/turns/{asked.turn_id}/events"
        async with self._http.get(url, headers=headers) as response:
            if response.status == 200:
                await self._read(response, asked, leave_after)
            else:
                await self._refused("GET /v1/turns/{id}/events", response)

    async def _read(self, response: aiohttp.ClientResponse, asked: Asked, leave_after: int | None) -> None:
        count = 0
        async for event in self._stack.events(response):
            asked.accept()
            if "turn_id" in event:
                asked.tell(event["turn_id"], event["turn_number"])
            see_event(asked, event)
            count += 1
            if count == leave_after:
                response.close()
                return

    # --- controlling and looking ---

    async def cancel(self, asked: Asked, chance: Random) -> None:
        until = monotonic() + PATIENCE_SECONDS
        while asked.cancelled is None and monotonic() < until:
            url = f"{chance.choice(self._gateways)}/v1/turns/{asked.turn_id}/cancel"
            with self._ledger.noting("POST /v1/turns/{id}/cancel"):
                async with self._http.post(url, headers=_headers(asked.user), timeout=_ANSWER) as response:
                    if response.status == 200:
                        controlled = await response.json()
                        asked.cancelled, asked.cancel_found = controlled["done"], controlled["found"]
                        return
                    await self._refused("POST /v1/turns/{id}/cancel", response)
            await asyncio.sleep(chance.uniform(0.2, 1.0))

    async def look(self, asked: Asked, chance: Random) -> dict[str, Any]:
        """GET /v1/turns/{id}."""
        url = f"{chance.choice(self._gateways)}/v1/turns/{asked.turn_id}"
        async with self._http.get(url, headers=_headers(asked.user), timeout=_ANSWER) as response:
            if response.status != 200:
                await self._refused("GET /v1/turns/{id}", response)
                return {}
            found: dict[str, Any] = await response.json()
            return found

    async def _refused(self, what: str, response: aiohttp.ClientResponse) -> None:
        self._ledger.errors[f"{what}: {response.status}"] += 1
        if response.status != 503:
            text = (await response.text())[:300]
            print(f"  {what} -> {response.status} {text}", flush=True)


def _headers(user: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[user]}"}


def _without_streaming(plan: TurnPlan) -> TurnPlan:
    return msgspec.structs.replace(plan, way="http")
