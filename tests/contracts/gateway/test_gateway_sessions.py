"""What is set for a session, over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.orchestrator.recipes.nats import BusSessionRecipes
from services.orchestrator.recipes.sessions import Sessions
from services.orchestrator.recipes.toml import RecipeFiles
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from tests.contracts.gateway.gateway_room import Client, gateway_over_http
from tests.servers.nats import bus_to
from tests.stack import ROOT
from tests.unit.samples import AT

PATH = "/v1/sessions/kitchen"


@pytest.fixture
async def client(bus: Bus, url: str) -> AsyncIterator[Client]:
    recipes = RecipeFiles(Path(ROOT / "recipes"), ROOT / "roles.toml", "direct")
    async with bus_to(url, "orchestrator") as other:
        sessions = Sessions(BusSessionRecipes(other), recipes, lambda: AT)
        await other.serve("what is set for sessions", endpoints_of(sessions))
        async with gateway_over_http(bus) as connected:
            yield connected


async def test_a_recipe_is_set_told_and_taken_away(client: Client) -> None:
    nothing = {"session_id": "kitchen", "recipe": ""}
    standard = {"session_id": "kitchen", "recipe": "standard"}
    assert await client.call("GET", PATH) == (200, nothing)

    assert await client.call("PATCH", PATH, {"recipe": "standard"}) == (200, standard)
    assert await client.call("GET", PATH) == (200, standard)
    assert await client.call("GET", PATH, user="bob") == (200, nothing)

    assert await client.call("PATCH", PATH, {"recipe": ""}) == (200, nothing)
    assert await client.call("GET", PATH) == (200, nothing)


@pytest.mark.parametrize(
    ("path", "body", "field", "says"),
    [
        (PATH, {"recipe": "thorough"}, "recipe", "there are: direct, standard"),
        (PATH, {}, "recipe", "missing"),
        (PATH, {"recipe": 3}, "recipe", "Expected `str`"),
        (PATH, {"recipe": "direct", "model": "x"}, "model", "unknown field `model`"),
        ("/v1/sessions/no%20name", {"recipe": "direct"}, "session_id", "1 to 128"),
    ],
)
async def test_what_is_wrong_is_named(client: Client, path: str, body: object, field: str, says: str) -> None:
    status, problem = await client.call("PATCH", path, body)

    assert (status, problem.get("field")) == (422, field), problem
    assert says in problem["detail"]


async def test_of_a_session_that_only_an_import_can_have_nothing_is_set(client: Client) -> None:
    assert await client.call("GET", "/v1/sessions/no%20name") == (
        200,
        {"session_id": "no name", "recipe": ""},
    )
    assert await client.call("GET", "/v1/turns?session_id=no%20name") == (
        200,
        {"turns": [], "next_cursor": None},
    )


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sessions?session_id=",
        "/v1/sessions?session_id=a%00b",
        "/v1/messages",
        "/v1/sessions?cursor=x",
        "/v1/sessions?cursor=99999999999999999999,x",
        "/v1/sessions/%FF",
    ],
)
async def test_what_is_no_name_or_no_cursor_is_refused(client: Client, path: str) -> None:
    assert (await client.call("GET", path))[0] == 422
