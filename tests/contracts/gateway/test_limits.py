"""Limits of users: one for all gateways, exact, and in each gateway alone while Redis is away."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from limits import parse

from services.gateway.http.problems import OverLimit
from services.gateway.limits.counts import Counts, Limit
from services.gateway.limits.places import Holders, OwnHolders, Places, SharedHolders
from shared.bus.connection import Bus
from shared.redis.server import RedisServer
from tests.contracts.gateway.gateway_room import gateway_over_http
from tests.servers.redis import EmbeddedServer, embedded_redis

REQUESTS = Limit(name="requests", rate=parse("100/minute"), setting="LIMIT_REQUESTS", is_exact=True)
BYTES = Limit(name="bytes", rate=parse("1000/day"), setting="LIMIT_BYTES")


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with embedded_redis(tmp_path, "redis") as started:
        yield started


@pytest.fixture
def wait_seconds(request: pytest.FixtureRequest) -> float:
    """Long, so that a busy machine does not look like a server that is away."""
    return float(getattr(request, "param", 20.0))


@pytest.fixture
async def servers(redis: EmbeddedServer, wait_seconds: float) -> AsyncIterator[list[RedisServer]]:
    """The connections of three gateways."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(RedisServer.connected(redis.url, wait_seconds=wait_seconds))
            for _ in range(3)
        ]


@pytest.mark.parametrize(("limit", "allowed"), [(REQUESTS, 100), (BYTES, 1000)])
async def test_sixteen_clients_over_three_gateways_get_exactly_what_is_allowed(
    servers: list[RedisServer], limit: Limit, allowed: int
) -> None:
    gateways = [Counts(server) for server in servers]

    async def client(number: int) -> int:
        return sum([await gateways[(number + i) % 3].use(limit, "alice") for i in range(allowed // 8)])

    admitted = await asyncio.gather(*(client(number) for number in range(16)))

    assert sum(admitted) == allowed
    assert await gateways[0].use(limit, "bob")


async def test_what_was_counted_outlives_a_restart_of_redis(
    servers: list[RedisServer], redis: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.redis.server._REST_SECONDS", 0.0)
    counts = Counts(servers[0])
    assert await counts.use(BYTES, "alice", 900)
    await redis.stop()
    await redis.start()
    await counts.use(BYTES, "alice", 1)  # The first call finds the old connection closed.

    assert (await counts.window(BYTES, "alice")).remaining <= 100


@pytest.mark.parametrize("wait_seconds", [0.25], indirect=True)
async def test_while_redis_is_away_each_gateway_counts_alone(
    servers: list[RedisServer], redis: EmbeddedServer
) -> None:
    gateways = [Counts(server) for server in servers]
    with redis.frozen():
        admitted = [sum([await one.use(REQUESTS, "alice") for _ in range(120)]) for one in gateways[:2]]
    assert admitted == [100, 100]
    await redis.stop(signal.SIGKILL)
    assert not await gateways[0].use(REQUESTS, "alice")


@pytest.fixture(params=["own", "shared"])
def holders(request: pytest.FixtureRequest, servers: list[RedisServer]) -> Holders:
    return OwnHolders() if request.param == "own" else SharedHolders(servers[0])


async def test_a_turn_that_has_ended_lets_another_in(holders: Holders) -> None:
    ended: set[str] = set()

    async def has_ended(turn_id: str, user: str) -> bool:
        return turn_id in ended

    places = Places(2, holders, has_ended)
    for turn_id in ("t1", "t2", "t2"):  # A turn that is handed in again holds one place.
        await places.take("alice", turn_id)
    await places.take("bob", "t4")
    with pytest.raises(OverLimit, match="2 turns of alice wait or run, as many as LIMIT_TURNS allows"):
        await places.take("alice", "t3")

    ended.add("t1")

    await places.take("alice", "t3")
    with pytest.raises(OverLimit):
        await places.take("alice", "t5")


async def test_who_is_over_a_limit_is_told_which_and_until_when(bus: Bus) -> None:
    # Nobody answers the gateway here: what is admitted gets 503.
    async with gateway_over_http(bus, hold_seconds=0.0, limit_requests="3/minute") as client:
        for remaining in ("2", "1", "0"):
            async with client.open("GET", "/v1/queue") as response:
                assert response.status == 503
                assert response.headers["x-ratelimit-remaining-requests"] == remaining
        async with client.open("GET", "/v1/queue") as response:
            body = await response.json()
            assert (response.status, response.headers["retry-after"].isdigit()) == (429, True)
        assert "alice has used all requests: LIMIT_REQUESTS allows 3 in 60 s" in body["detail"]

        async with client.open("GET", "/v1/models") as response:
            refused = await response.json()
            assert (response.status, response.headers["x-should-retry"]) == (429, "true")
        assert refused["error"]["type"] == "rate_limit_error"

        async with client.open("GET", "/v1/queue", user="bob") as response:
            assert response.headers["x-ratelimit-remaining-requests"] == "2"


async def test_a_key_has_a_limit_of_its_own(bus: Bus) -> None:
    async with gateway_over_http(bus, hold_seconds=0.0, limit_key_requests="1/hour") as client:
        statuses = [
            (await client.call("GET", "/v1/queue", user=user))[0] for user in ("alice", "alice", "bob")
        ]

    assert statuses == [503, 429, 503]


async def test_bytes_of_bodies_are_counted(bus: Bus) -> None:
    async with gateway_over_http(bus, limit_bytes="1000/day") as client:
        first = await client.call("POST", "/v1/imports", b"x" * 2000)
        second, refused = await client.call("GET", "/v1/models")

    assert first[0] != 429
    assert (second, "LIMIT_BYTES" in refused["error"]["message"]) == (429, True)
