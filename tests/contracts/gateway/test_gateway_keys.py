"""Who may do what over HTTP: each route declares an ability, and refuses a caller without it."""

import re

import pytest
from litestar import Litestar, get, websocket
from litestar.connection import WebSocket
from litestar.datastructures import State
from litestar.exceptions import ImproperlyConfiguredException
from litestar.routes import HTTPRoute

from docs.builder.abilities import rows
from services.gateway.http.auth import DeclaredAbilities
from shared.bus.connection import Bus
from shared.contract.abilities import FOR_ADMINS, FOR_USERS, Ability
from tests.contracts.gateway.gateway_room import gateway_over_http

WRONG_KEYS = [
    {"x-api-key": ""},
    {"x-api-key": "alice-secret-ke"},
    {"x-api-key": "bob-secret-key "[:-1] + "s"},
    {"authorization": "Bearer wrong"},
    {"authorization": "alice-secret-key"},
    {"authorization": "Bearer wrong", "x-api-key": "alice-secret-key"},
]


def abilities_of(app: Litestar) -> dict[tuple[str, str], Ability]:
    """By method and path, whatever its parameters."""
    found = {}
    for route in app.routes:
        assert isinstance(route, HTTPRoute)
        path = re.sub(r"\{\w+\}", "1", route.path_format)
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                found[str(method), path] = handler.opt["ability"]
    return found


async def test_every_route_refuses_without_a_key_and_with_a_wrong_one(bus: Bus) -> None:
    """Before it reads anything else of the request."""
    async with gateway_over_http(bus) as client:
        protected = {of for of, ability in abilities_of(client.app).items() if ability is not Ability.PUBLIC}
        assert len(protected) > 40
        for method, path in protected:
            for headers in [{}, *WRONG_KEYS]:
                status, problem = await client.call_as_stranger(method, path, b"{", headers)
                said = problem.get("status") or problem["error"]["code"]  # OpenAI's form, on its routes
                assert (status, said in {401, "invalid_api_key"}) == (401, True), (method, path, headers)


async def test_the_documentation_alone_is_public(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        public = {
            path for (_, path), ability in abilities_of(client.app).items() if ability is Ability.PUBLIC
        }

        assert public == {"/", "/1", "/docs", "/docs/1", "/openapi.json"}
        for path, expected in [("/docs", 200), ("/docs/swagger-ui.css", 200), ("/openapi.json", 200)]:
            async with client.open_as_stranger("GET", path) as response:
                assert response.status == expected


async def test_what_only_admins_may_is_403_for_the_others(bus: Bus) -> None:
    async with gateway_over_http(bus, admin_users="alice") as client:
        for (method, path), ability in abilities_of(client.app).items():
            if ability in FOR_ADMINS - FOR_USERS:
                status, problem = await client.call(method, path, user="bob")
                assert status == 403, (method, path)
                assert "ADMIN_USERS" in problem["detail"]


async def test_every_ability_is_of_a_route(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        used = set(abilities_of(client.app).values())

    assert used | {Ability.ACT_FOR_OTHERS, Ability.INTERNAL} == set(Ability)
    assert set(Ability) == FOR_ADMINS | {Ability.PUBLIC, Ability.INTERNAL}


async def test_every_route_has_a_row_in_the_table_of_abilities(bus: Bus) -> None:
    table = {(row.method, re.sub(r"\{\w+\}", "1", row.path)): row.ability for row in rows()}
    async with gateway_over_http(bus) as client:
        served = abilities_of(client.app)

    of_the_document = {("GET", path): Ability.PUBLIC for path in ("/", "/1", "/openapi.json")}
    assert served == table | of_the_document


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/turns", 405),
        ("GET", "/v1/turns/%20", 401),
        ("GET", "/v1/turns?limit=0", 401),
        ("GET", "/v1/admin/dead/none", 404),
    ],
)
async def test_an_unknown_address_is_said_without_a_key_and_nothing_else_is(
    bus: Bus, method: str, path: str, status: int
) -> None:
    async with gateway_over_http(bus) as client:
        assert (await client.call_as_stranger(method, path))[0] == status


async def test_options_tell_the_methods_of_a_route_without_a_key(bus: Bus) -> None:
    async with gateway_over_http(bus) as client, client.open_as_stranger("OPTIONS", "/v1/queue") as response:
        assert (response.status, response.headers["allow"]) == (204, "GET, OPTIONS")


async def test_a_key_may_come_in_either_header(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        for headers in [
            {"authorization": "Bearer alice-secret-key"},
            {"authorization": "bEARER alice-secret-key", "x-api-key": "wrong"},
            {"authorization": "Basic YTpi", "x-api-key": "alice-secret-key"},
        ]:
            status, problem = await client.call_as_stranger("GET", "/v1/turns?limit=0", b"", headers)
            assert (status, problem["field"]) == (422, "limit")


# --- the start ---


@get("/things")
async def undeclared() -> str:
    return "public by mistake"


@get("/things", ability="turns:everything")
async def misspelt() -> str:
    return "of no ability that there is"


@websocket("/things")
async def undeclared_socket(socket: WebSocket[None, None, State]) -> None:
    await socket.close()


@pytest.mark.parametrize("handler", [undeclared, misspelt, undeclared_socket])
def test_a_route_without_an_ability_does_not_start(handler: object) -> None:
    with pytest.raises(ImproperlyConfiguredException, match=rf"/things .*{handler_name(handler)}.* ability"):
        Litestar([handler], plugins=[DeclaredAbilities()], openapi_config=None)  # type: ignore[list-item]


def test_a_route_that_is_added_later_needs_one_as_well() -> None:
    app = Litestar([], plugins=[DeclaredAbilities()], openapi_config=None)

    with pytest.raises(ImproperlyConfiguredException, match="undeclared"):
        app.register(undeclared)


def handler_name(handler: object) -> str:
    return str(handler).rpartition(".")[2]
