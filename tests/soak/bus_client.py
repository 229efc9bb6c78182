"""A client over bare NATS: publishes until it is acknowledged, listens, and asks for what it missed."""

import asyncio
import json
from random import Random
from time import monotonic
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.soak.http_client import PATIENCE_SECONDS
from tests.soak.ledger import LAST_TYPES, Asked, Ledger, see_event
from tests.soak.plan import TurnPlan
from tests.soak.streams import read_from

_POLL_SECONDS = 0.25


async def connected(urls: list[str], login: dict[str, str], *, in_order: bool = False) -> Client:
    """Finds its way back for ever; `in_order`: to the first of the servers as long as that one lives."""

    async def quiet(_: Exception) -> None:
        """The server is killed now and then."""

    return await nats.connect(
        urls,
        **login,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,
        connect_timeout=5,
        dont_randomize=in_order,
        error_cb=quiet,
    )


class Outcomes:
    """Follows the stream OUTCOMES, and wakes the client that waits for a turn when it has ended."""

    def __init__(self, bus: Client) -> None:
        self._bus = bus
        self._ended: dict[str, asyncio.Event] = {}

    def of(self, turn_id: str) -> asyncio.Event:
        return self._ended.setdefault(turn_id, asyncio.Event())

    async def follow(self, ledger: Ledger) -> None:
        sequence = 1
        while True:
            with ledger.noting("reading OUTCOMES"):
                async for message in read_from(self._bus, "OUTCOMES", sequence):
                    sequence = message.sequence + 1
                    if message.subject in LAST_TYPES:
                        self.of(json.loads(message.body)["turn_id"]).set()
            await asyncio.sleep(_POLL_SECONDS)


class BusClient:
    def __init__(
        self,
        bus: Client,
        outcomes: Outcomes,
        ledger: Ledger,
        *,
        publish_seconds: float = 5.0,
        again_seconds: float = 0.5,
    ) -> None:
        self._bus = bus
        self._again_seconds = again_seconds
        self._jetstream = bus.jetstream(timeout=publish_seconds)
        self._outcomes = outcomes
        self._ledger = ledger

    async def hand_in(self, plan: TurnPlan, asked: Asked, chance: Random) -> None:
        until = monotonic() + PATIENCE_SECONDS
        while not asked.is_accepted and monotonic() < until:
            with self._ledger.noting("publish turn.requested"):
                asked.tell(plan.turn_id, await self._publish(plan))
                asked.accept()
                return
            await asyncio.sleep(chance.uniform(0.2, 1.0) * self._again_seconds)

    async def _publish(self, plan: TurnPlan) -> int:
        body = {
            "turn_id": plan.turn_id,
            "session_id": plan.session_id,
            "user": plan.user,
            "input": plan.text,
            "metadata": {"soak": str(plan.number)},
        }
        headers = {"Nats-Msg-Id": f"{plan.turn_id}:turn.requested"}
        ack = await self._jetstream.publish("turn.requested", json.dumps(body).encode(), headers=headers)
        return int(ack.seq)

    async def hand_in_again(self, plan: TurnPlan, chance: Random) -> None:
        """As a client does whose acknowledgement was lost; no second turn may come of it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with self._ledger.noting("publish turn.requested again"):
                    await self._publish(plan)
                    return
                await asyncio.sleep(chance.uniform(0.1, 0.5))

    # --- reading ---

    async def listen(self, turn_id: str) -> "Listening":
        heard = Listening()
        while True:
            with self._ledger.noting("subscribe turn.stream"):
                heard.subscription = await self._bus.subscribe(f"turn.stream.{turn_id}", cb=heard.take)
                return heard
            await asyncio.sleep(_POLL_SECONDS)

    async def read_to_end(self, asked: Asked, heard: "Listening") -> None:
        """Returns what was heard, and after the end what was missed: a server that dies sends no notice."""
        ended = self._outcomes.of(asked.turn_id)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ended.wait()
        except TimeoutError:
            asked.faults.append(f"no outcome within {PATIENCE_SECONDS:g} s")
            return
        finally:
            with self._ledger.noting("unsubscribe"):
                await heard.subscription.unsubscribe()
        known = heard.events
        if not is_whole(known):
            asked.connections += 1
            known = {**await self._record(asked), **known}
        for event in joined(known):
            see_event(asked, event)

    async def _record(self, asked: Asked) -> dict[tuple[int, int], dict[str, Any]]:
        """All events, as the turn's record has them."""
        events: dict[tuple[int, int], dict[str, Any]] = {}
        until = monotonic() + PATIENCE_SECONDS
        after = -1
        while monotonic() < until:
            question = {"user": asked.user, "turn_id": asked.turn_id, "after": after}
            with self._ledger.noting("turns.events"):
                reply = await self._bus.request("turns.events", json.dumps(question).encode(), timeout=5)
                if code := (reply.headers or {}).get("Nats-Service-Error-Code"):
                    self._ledger.errors[f"turns.events: {code}"] += 1
                else:
                    page = json.loads(reply.data)
                    events |= {key_of(event): event for event in page["events"]}
                    if not page["more"]:
                        return events
                    after = page["events"][-1]["index"]
                    continue
            await asyncio.sleep(_POLL_SECONDS)
        asked.faults.append("turns.events did not answer")
        return events

    async def cancel(self, asked: Asked, chance: Random) -> None:
        until = monotonic() + PATIENCE_SECONDS
        question = json.dumps({"user": asked.user, "action": "cancel"}).encode()
        while asked.cancelled is None and monotonic() < until:
            with self._ledger.noting("turn.control"):
                reply = await self._bus.request(f"turn.control.{asked.turn_id}", question, timeout=10)
                if code := (reply.headers or {}).get("Nats-Service-Error-Code"):
                    self._ledger.errors[f"turn.control: {code}"] += 1
                else:
                    controlled = json.loads(reply.data)
                    asked.cancelled, asked.cancel_found = controlled["done"], controlled["found"]
                    return
            await asyncio.sleep(chance.uniform(0.1, 0.5))


class Listening:
    """What one subscription heard, by index and attempt."""

    def __init__(self) -> None:
        self.events: dict[tuple[int, int], dict[str, Any]] = {}
        self.subscription: Any = None

    async def take(self, message: Msg) -> None:
        event = json.loads(message.data)
        self.events.setdefault(key_of(event), event)


def key_of(event: dict[str, Any]) -> tuple[int, int]:
    return (event["index"], event.get("attempt", 1))


def joined(events: dict[tuple[int, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns them in order, without what an earlier attempt said after a later one began: that is void."""
    begins: dict[int, int] = {}
    for index, attempt in events:
        begins[attempt] = min(index, begins.get(attempt, index))
    kept: dict[int, dict[str, Any]] = {}
    for (index, attempt), event in sorted(events.items()):
        if not any(later > attempt and begin <= index for later, begin in begins.items()):
            kept[index] = event
    return [kept[index] for index in sorted(kept)]


def is_whole(events: dict[tuple[int, int], dict[str, Any]]) -> bool:
    told = joined(events)
    return (
        bool(told)
        and told[-1]["type"] in LAST_TYPES
        and [event["index"] for event in told] == list(range(len(told)))
    )
