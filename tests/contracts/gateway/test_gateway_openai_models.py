"""Models for OpenAI's clients: recipes first, then what the engine has."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint, endpoints_of
from shared.contract.requests import Models, ModelsReply, Recipes, RecipesReply
from tests.contracts.gateway.gateway_room import KEYS, Client, gateway_over_http
from tests.servers.nats import bus_to


class Names:
    """The recipes of an orchestrator, and the models of an engine."""

    @endpoint
    async def recipes(self, _: Recipes) -> RecipesReply:
        return RecipesReply(names=["direct", "standard", "my-own"])

    @endpoint
    async def models(self, _: Models) -> ModelsReply:
        names = ["parrot/large", "pandora-direct"]
        return ModelsReply(engine="openai", models=names, context_tokens=1, running=0, waiting=0)


@pytest.fixture
async def client(bus: Bus, url: str) -> AsyncIterator[Client]:
    async with bus_to(url, "names") as other, gateway_over_http(bus) as connected:
        await other.serve("names", endpoints_of(Names()))
        yield connected


@pytest.fixture
async def stock(client: Client) -> AsyncIterator[Any]:
    """OpenAI's own client, as alice."""
    async with openai.AsyncOpenAI(base_url=f"{client.url}/v1", api_key=KEYS["alice"]) as connected:
        yield connected


async def test_recipes_and_the_models_of_the_engine_are_listed(stock: Any) -> None:
    listed = await stock.models.list()

    assert {model.id: model.owned_by for model in listed.data} == {
        "pandora-direct": "pandora",
        "pandora": "pandora",
        "pandora-my-own": "pandora",
        "parrot/large": "openai",
    }
    assert (listed.object, {model.object for model in listed.data}) == ("list", {"model"})


@pytest.mark.parametrize("name", ["pandora", "pandora-my-own", "parrot/large"])
async def test_a_model_is_found_by_its_name(stock: Any, name: str) -> None:
    assert (await stock.models.retrieve(name)).id == name


@pytest.mark.parametrize("name", ["pandora-standard", "gpt-9"])
async def test_an_unknown_model_is_told_from_an_unknown_route(stock: Any, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as unknown_model:
        await stock.models.retrieve(name)
    with pytest.raises(openai.NotFoundError) as unknown_route:
        await stock.batches.list()

    assert (unknown_model.value.code, unknown_model.value.param) == ("model_not_found", "model")
    assert repr(name) in unknown_model.value.message
    assert unknown_route.value.code is None


async def test_a_wrong_key_is_said_in_openais_form(client: Client) -> None:
    status, body = await client.call_as_stranger("GET", "/v1/models", headers={"x-api-key": "wrong-key"})

    assert status == 401
    assert {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}.items() <= body[
        "error"
    ].items()


async def test_an_engine_that_is_away_is_a_503_to_try_again(bus: Bus) -> None:
    async with (
        gateway_over_http(bus, hold_seconds=0.0) as client,
        client.open("GET", "/v1/models") as response,
    ):
        assert (response.status, response.headers["x-should-retry"]) == (503, "true")
        assert (await response.json())["error"]["type"] == "server_error"
