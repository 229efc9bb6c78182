"""A service that is away for a moment is waited for; one that stays away is said at once."""

import asyncio
from time import monotonic

import pytest

from services.gateway.asking.nats import BusAsk
from shared.bus.asking import Unanswered
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint_of
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Recipes, RecipesReply
from tests.contracts.gateway.gateway_room import gateway_over_http
from tests.servers.nats import bus_to

HOLD_SECONDS = 1.5
PATIENT_SECONDS = 60.0
"""However busy the machine is, the service is back by then."""


async def test_a_service_that_comes_back_a_moment_later_answers_the_request(url: str, bus: Bus) -> None:
    """As after the death of the NATS server that it was connected to."""
    asked = 0

    async def recipes(request: Recipes) -> RecipesReply:
        nonlocal asked
        asked += 1
        return RecipesReply(names=["direct"])

    asking = asyncio.create_task(BusAsk(bus, hold_seconds=PATIENT_SECONDS)(Recipes()))
    await asyncio.sleep(0.5)
    async with bus_to(url, "orchestrator") as other:
        await other.serve("a test", [endpoint_of(recipes)])
        reply = await asking

    assert reply.names == ["direct"]
    assert asked == 1


async def test_the_end_of_the_wait_names_the_subject_and_the_next_request_is_told_at_once(bus: Bus) -> None:
    ask = BusAsk(bus, hold_seconds=HOLD_SECONDS)
    begun = monotonic()
    with pytest.raises(Unanswered, match=r"no process answers turns\.recipes"):
        await ask(Recipes())
    waited = monotonic() - begun

    with pytest.raises(Unanswered):
        await asyncio.wait_for(ask(Recipes()), HOLD_SECONDS / 2)

    assert waited >= HOLD_SECONDS


async def test_a_service_that_answers_in_between_is_waited_for_again(
    url: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, passed = BusAsk(bus, hold_seconds=PATIENT_SECONDS), 0.0
    monkeypatch.setattr("services.gateway.asking.nats.monotonic", lambda: monotonic() + passed)

    async def recipes(request: Recipes) -> RecipesReply:
        return RecipesReply(names=["direct"])

    for _ in range(2):
        asking = asyncio.create_task(ask(Recipes()))
        await asyncio.sleep(0.3)
        passed += 0.6 * PATIENT_SECONDS
        async with bus_to(url, "orchestrator") as other:
            await other.serve("a test", [endpoint_of(recipes)])
            assert (await asking).names == ["direct"]


@pytest.mark.parametrize("error", [Refused(409, "no"), Transient("not now")])
async def test_what_the_service_answers_is_not_asked_again(url: str, bus: Bus, error: Exception) -> None:
    asked = 0

    async def recipes(request: Recipes) -> RecipesReply:
        nonlocal asked
        asked += 1
        raise error

    async with bus_to(url, "orchestrator") as other:
        await other.serve("a test", [endpoint_of(recipes)])
        with pytest.raises(type(error)):
            await BusAsk(bus, hold_seconds=HOLD_SECONDS)(Recipes())

    assert asked == 1


async def test_a_client_of_http_sees_nothing_of_the_moment(url: str, bus: Bus) -> None:
    async def recipes(request: Recipes) -> RecipesReply:
        return RecipesReply(names=["direct"])

    async with gateway_over_http(bus, hold_seconds=15.0) as client:  # `call` waits for 20 s.
        body = {"input": "Hello", "recipe": "unheard"}
        asking = asyncio.create_task(client.call("POST", "/v1/turns", body))
        await asyncio.sleep(0.5)
        async with bus_to(url, "orchestrator") as other:
            await other.serve("a test", [endpoint_of(recipes)])
            status, problem = await asking

    assert (status, problem["field"]) == (422, "recipe"), "the answer of the service that came back"
