"""What keeps pages of other sites away from a gateway on this machine, and what browsers are told."""

import pytest

from services.gateway.http.browsers import Doors
from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import KEYS, Client, gateway_over_http

PAGE = "https://chat.example.org"
LOCAL = Doors(is_loopback=True, hosts=frozenset(), origins=frozenset())


@pytest.mark.parametrize(
    ("host", "is_let_in"),
    [
        *((host, True) for host in ("127.0.0.1", "127.0.0.1:9000", "localhost:1", "LOCALHOST", "[::1]:9000")),
        *((host, True) for host in ("", "host.docker.internal:9000")),
        *(
            (host, False)
            for host in ("evil.example", "evil.example:9000", "127.0.0.1.evil.example", "10.0.0.1")
        ),
        *((host, False) for host in ("[::", "localhost.evil.example", "127.0.0.1@evil.example")),
    ],
)
def test_on_loopback_the_host_has_to_be_a_name_of_this_machine(host: str, is_let_in: bool) -> None:
    assert (LOCAL.refusal({b"host": host.encode()}) == "") is is_let_in


def test_names_of_a_proxy_are_allowed_by_setting_and_elsewhere_every_name_is() -> None:
    named = Doors(is_loopback=True, hosts=frozenset({"pandora.example.org"}), origins=frozenset())
    reachable = Doors(is_loopback=False, hosts=frozenset(), origins=frozenset())
    for doors, host, is_let_in in [
        (named, b"pandora.example.org", True),
        (named, b"127.0.0.1:9000", True),
        (named, b"evil.example", False),
        (reachable, b"anything.example", True),
        (Doors(is_loopback=False, hosts=named.hosts, origins=frozenset()), b"anything.example", False),
    ]:
        assert (doors.refusal({b"host": host}) == "") is is_let_in


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        ("http://127.0.0.1:9000", True),
        (PAGE, True),
        *(
            (one, False)
            for one in ("http://127.0.0.1:9001", "http://evil.example", "null", f"{PAGE}.evil.example")
        ),
    ],
)
def test_on_loopback_a_page_of_another_origin_may_not_ask(origin: str, is_let_in: bool) -> None:
    doors = Doors(is_loopback=True, hosts=frozenset(), origins=frozenset({PAGE}))

    assert (doors.refusal({b"host": b"127.0.0.1:9000", b"origin": origin.encode()}) == "") is is_let_in


async def test_a_page_of_another_site_is_refused_before_anything_is_done(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        for headers, setting in [
            ({"host": "evil.example"}, "ALLOWED_HOSTS"),
            ({"origin": PAGE}, "CORS_ORIGINS"),
        ]:
            sent = {"x-api-key": KEYS["alice"]} | headers
            status, problem = await client.call_as_stranger("GET", "/v1/turns?limit=0", b"", sent)
            assert (status, problem["status"]) == (403, 403)
            assert setting in problem["detail"]


async def test_a_page_of_a_named_origin_reads_answers_and_refusals(bus: Bus) -> None:
    preflight = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    async with gateway_over_http(bus, cors_origins=f"http://localhost:3000, {PAGE}") as client:
        for method, headers, status in [
            ("OPTIONS", preflight, 204),
            ("GET", {"origin": PAGE}, 401),
            ("GET", {"origin": PAGE, "x-api-key": KEYS["alice"]}, 422),
        ]:
            async with client.open_as_stranger(method, "/v1/turns?limit=0", b"", headers) as response:
                assert (response.status, response.headers["access-control-allow-origin"]) == (status, PAGE)
                assert "access-control-allow-credentials" not in response.headers


async def test_without_the_setting_no_page_is_told_that_it_may(bus: Bus) -> None:
    async with (
        gateway_over_http(bus) as client,
        client.open_as_stranger(
            "OPTIONS", "/v1/turns", b"", {"access-control-request-method": "POST"}
        ) as response,
    ):
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/v1/turns?limit=0", "/v1/nothing", "/docs", "/docs/swagger-ui.css", "/openapi.json"]
)
async def test_every_answer_says_that_no_page_may_frame_it_or_guess_its_type(bus: Bus, path: str) -> None:
    async with gateway_over_http(bus) as client:
        headers = await headers_of(client, path)

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert ("sha256-" in headers["content-security-policy"]) is (path == "/docs")
    assert headers["cache-control"] == ("max-age=86400" if path.endswith(".css") else "no-store")
    assert "strict-transport-security" not in headers


async def headers_of(client: Client, path: str) -> dict[str, str]:
    async with client.open_as_stranger("GET", path) as response:
        found = [(name.lower(), value) for name, value in response.headers.items()]
    assert len(dict(found)) == len(found)
    return dict(found)


async def test_options_name_every_method_of_an_address(bus: Bus) -> None:
    async with gateway_over_http(bus) as client, client.open("OPTIONS", "/v1/turns/t1") as response:
        assert (response.status, response.headers["allow"]) == (204, "DELETE, GET, OPTIONS")
