"""Keys of the bucket: gateways hear of each change, and keep what they know while NATS is away."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from services.gateway.access.nats import BusKeys
from services.gateway.app import demand_keys, keys_of
from services.gateway.settings import GatewaySettings
from shared.bus.buckets import Bucket
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.streams import API_KEYS
from shared.contract.abilities import Ability, Role
from shared.contract.events import encode
from shared.contract.keys import ApiKey, KeyDigest, digest_of, key_text
from shared.process.environment import SettingsError
from tests.contracts.gateway.gateway_room import Client, gateway_over_http
from tests.servers.nats import bus_to, nats_in_hand

NOW = datetime.now(UTC)
KEY = key_text("0a1b2c3d", "the-secret")
STORED = ApiKey(
    key_id="0a1b2c3d",
    user="dora",
    role=Role.USER,
    created_at=NOW,
    digests=[KeyDigest(digest=digest_of(KEY))],
)


async def status_with(client: Client, key: str, path: str = "/v1/turns?limit=0") -> int:
    """422 says that the key was taken."""
    return (await client.call_as_stranger("GET", path, b"", {"authorization": f"Bearer {key}"}))[0]


async def until_answered(client: Client, key: str, status: int) -> None:
    async with asyncio.timeout(20):
        while await status_with(client, key) != status:  # noqa: ASYNC110  # another process has to hear
            await asyncio.sleep(0.01)


async def test_every_gateway_hears_of_a_key_that_is_made_rotated_revoked_and_erased(bus: Bus) -> None:
    bucket = Bucket(bus, API_KEYS)
    rotated = STORED.rotated("another-key", NOW, NOW)
    revision = 0
    async with gateway_over_http(bus) as one, gateway_over_http(bus) as other:
        for value, valid, ended in [
            (encode(STORED), [KEY], []),
            (encode(rotated), ["another-key"], [KEY]),
            (encode(rotated.revoked(NOW)), [], [KEY, "another-key"]),
            (encode(STORED), [KEY], ["another-key"]),
            (b"no record", [], [KEY]),
            (encode(STORED), [KEY], []),
            (b"", [], [KEY]),
        ]:
            revision = await bucket.put(STORED.key_id, value, revision=revision)
            for client in (one, other):
                for key, status in [*((key, 422) for key in valid), *((key, 401) for key in ended)]:
                    await until_answered(client, key, status)


async def test_the_role_and_the_scopes_of_a_key_say_what_it_may(bus: Bus) -> None:
    operator, narrow = key_text("00000001", "s"), key_text("00000002", "s")
    async with gateway_over_http(bus) as client:
        for key, role, scopes in [
            (operator, Role.OPERATOR, []),
            (narrow, Role.ADMIN, [Ability.MEMORY_READ]),
        ]:
            key_id = key.split("_")[1]
            digests = [KeyDigest(digest=digest_of(key))]
            made = ApiKey(
                key_id=key_id, user="dora", role=role, scopes=scopes, created_at=NOW, digests=digests
            )
            await Bucket(bus, API_KEYS).put(key_id, encode(made), revision=0)
            await until_answered(client, key, 403)

        assert await status_with(client, operator, "/v1/admin/dead?limit=0") == 422
        assert await status_with(client, operator, "/v1/admin/dead/1") == 403  # What a user said.
        assert await status_with(client, narrow, "/v1/memories?limit=0") == 422


async def test_a_gateway_without_any_key_is_open_until_there_is_one(bus: Bus) -> None:
    async with gateway_over_http(bus, api_keys=SecretStr("")) as client:
        assert await status_with(client, "") == 422

        await Bucket(bus, API_KEYS).put(STORED.key_id, encode(STORED), revision=0)

        await until_answered(client, "", 401)
        assert await status_with(client, KEY) == 422


async def test_while_nats_is_away_a_gateway_keeps_the_keys_that_it_knows() -> None:
    async with nats_in_hand() as server, bus_to(server.url) as bus:
        await declare_streams(bus.jetstream, first_turn_number=1)
        await Bucket(bus, API_KEYS).put(STORED.key_id, encode(STORED), revision=0)
        async with gateway_over_http(bus) as client:
            await server.stop()

            assert await status_with(client, KEY) == 422
            assert await status_with(client, "wrong") == 401


@pytest.mark.parametrize("stored", [[], [STORED.revoked(NOW)]], ids=["none", "revoked"])
async def test_without_a_valid_key_nothing_but_this_machine_is_listened_to(
    bus: Bus, stored: list[ApiKey]
) -> None:
    for key in stored:
        await Bucket(bus, API_KEYS).put(key.key_id, encode(key), revision=0)

    with pytest.raises(SettingsError, match=r"GATEWAY_HOST=0\.0\.0\.0 .*pandora keys create.*API_KEYS"):
        await start_outside(bus)

    await Bucket(bus, API_KEYS).put("00000002", encode(STORED), revision=0)
    await start_outside(bus)


async def start_outside(bus: Bus) -> None:
    settings = GatewaySettings.model_construct(gateway_host="0.0.0.0")  # noqa: S104  # nothing is bound here
    keys = keys_of(settings)
    watched = BusKeys(bus, keys)
    watching = asyncio.create_task(watched.run())
    try:
        async with asyncio.timeout(20):
            await demand_keys(settings, keys, watched)
    finally:
        watching.cancel()
