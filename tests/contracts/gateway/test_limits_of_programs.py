"""A program with a user's credential of the bus has the limits that the user has over HTTP."""

import json
from typing import Any

import nats
import pytest

from services.gateway.asking.nats import BusAsk
from services.gateway.limits.counts import Counts
from services.gateway.limits.limiting import Limits
from services.gateway.limits.places import OwnHolders, Places
from services.gateway.live.nats import BusLiveTurns
from services.gateway.programs.nats import Programs
from services.gateway.settings import GatewaySettings
from services.gateway.turns.lookup import Lookup
from shared.bus.connection import Bus
from shared.bus.rights import inbox_of_user
from shared.contract.users import subject_for


async def serve(bus: Bus, **settings: Any) -> None:
    live = BusLiveTurns(bus, buffer_events=100)
    lookup = Lookup(BusAsk(bus, hold_seconds=0.0), live)
    limits = Limits(GatewaySettings(**settings), Counts(None))

    async def has_ended(turn_id: str, user: str) -> bool:
        return False

    places = Places(settings.get("limit_turns", 0), OwnHolders(), has_ended)
    await Programs(bus, live, lookup, limits, places, lambda: None).serve()


async def send(url: str, user: str, subject: str, **body: object) -> tuple[str | None, str]:
    """(status of a refusal, what it says)."""
    client = await nats.connect(url, inbox_prefix=inbox_of_user(user))
    try:
        reply = await client.request(subject_for(user, subject), json.dumps(body).encode(), timeout=15)
    finally:
        await client.close()
    headers = reply.headers or {}
    return headers.get("Nats-Service-Error-Code"), headers.get("Nats-Service-Error", "")


@pytest.fixture
def turn() -> dict[str, str]:
    return {"session_id": "notebook", "input": "My tractor is green."}


async def test_messages_are_counted_as_requests(bus: Bus, url: str) -> None:
    await serve(bus, limit_requests="2/minute")

    answers = [await send(url, "alice", "deadletters.list") for _ in range(3)]

    assert [status for status, _ in answers] == ["404", "404", "429"]
    assert "LIMIT_REQUESTS allows 2 in 60 s" in answers[-1][1]
    assert (await send(url, "bob", "deadletters.list"))[0] == "404"


async def test_bytes_of_messages_are_counted(bus: Bus, url: str) -> None:
    await serve(bus, limit_bytes="1000/day")

    statuses = [(await send(url, "alice", "deadletters.list", padding="x" * 2000))[0] for _ in range(2)]

    assert statuses == ["404", "429"]


async def test_a_turn_takes_a_place(bus: Bus, url: str, turn: dict[str, str]) -> None:
    await serve(bus, limit_turns=1)

    assert await send(url, "alice", "turn.requested", turn_id="t1", **turn) == (None, "")
    assert await send(url, "alice", "turn.requested", turn_id="t1", **turn) == (None, "")
    status, detail = await send(url, "alice", "turn.requested", turn_id="t2", **turn)
    assert (status, "LIMIT_TURNS" in detail) == ("429", True)
    assert await send(url, "bob", "turn.requested", turn_id="t3", **turn) == (None, "")
