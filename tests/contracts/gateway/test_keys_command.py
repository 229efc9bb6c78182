"""`pandora keys` over a bucket of NATS: what it prints, and what a gateway then makes of the keys."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.keys.keys import create_key, revoke_key, rotate_key, show_keys
from cli.terminal.failure import CommandFailed
from services.gateway.access.keys import LOCAL, Keys
from services.gateway.access.nats import BusKeys
from services.gateway.http.callers import Caller
from shared.bus.connection import Bus
from shared.contract.abilities import Ability, Role

Print = Callable[[Awaitable[None]], Awaitable[str]]


@pytest.fixture
def printed(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Print:
    """Runs a command, and returns what it prints on stdout."""
    monkeypatch.setenv("NATS_URL", url)

    async def run(command: Awaitable[None]) -> str:
        capsys.readouterr()
        await command
        return capsys.readouterr().out

    return run


async def made(printed: Print, user: str = "dora", role: Role = Role.USER, **more: Any) -> dict[str, Any]:
    options = {"scopes": [], "days": None, "label": "", "as_json": True} | more
    row: dict[str, Any] = json.loads(await printed(create_key(user, role, **options)))
    return row


async def let_in(bus: Bus, *keys: str, late: timedelta = timedelta()) -> list[Caller | None]:
    """Those whom a gateway that starts now lets in for these keys."""
    known = Keys({}, frozenset(), may_be_open=True)
    watched = BusKeys(bus, known)
    watching = asyncio.create_task(watched.run())
    await watched.until_read()
    watching.cancel()
    callers = [known.caller_of(key, datetime.now(UTC) + late) for key in keys]
    # Without what stands for the key.
    return [one and Caller(one.name, one.abilities) for one in callers]


async def test_a_key_is_printed_once_and_stored_as_its_digest(bus: Bus, printed: Print) -> None:
    scopes = [Ability.TURNS_READ]
    key = (await made(printed, role=Role.SERVICE, scopes=scopes, days=30, label="phone"))["key"]

    listed = await printed(show_keys(as_json=True))
    table = await printed(show_keys(as_json=False))
    assert [(row["user"], row["role"], row["state"]) for row in json.loads(listed)] == [
        ("dora", "service", "active")
    ]
    assert key.split("_")[2] not in listed + table
    assert "phone" in table
    stored = await bus.jetstream.get_last_msg("KV_api-keys", f"$KV.api-keys.{key.split('_')[1]}")
    assert key.encode() not in (stored.data or b"")
    assert await let_in(bus, key) == [Caller("dora", frozenset(scopes))]
    assert await let_in(bus, key, late=timedelta(days=31)) == [None]


async def test_a_key_alone_is_on_stdout_so_that_a_script_can_take_it(bus: Bus, printed: Print) -> None:
    key = await printed(create_key("dora", Role.USER, scopes=[], days=None, label="", as_json=False))

    assert await let_in(bus, key.strip()) == [Caller("dora")]


async def test_a_key_is_rotated_with_an_overlap_and_without(bus: Bus, printed: Print) -> None:
    first = await made(printed)
    second = json.loads(await printed(rotate_key(first["key_id"], overlap_hours=1, as_json=True)))

    assert await let_in(bus, first["key"], second["key"]) == [Caller("dora"), Caller("dora")]
    assert await let_in(bus, first["key"], second["key"], late=timedelta(hours=2)) == [None, Caller("dora")]
    third = json.loads(await printed(rotate_key(first["key_id"], overlap_hours=0, as_json=True)))
    assert await let_in(bus, first["key"], second["key"], third["key"]) == [None, None, Caller("dora")]


async def test_a_key_that_was_revoked_stays_in_the_list_until_it_is_erased(bus: Bus, printed: Print) -> None:
    key = await made(printed)

    for _ in range(2):
        await printed(revoke_key(key["key_id"], erase=False))
    assert [row["state"] for row in json.loads(await printed(show_keys(as_json=True)))] == ["revoked"]
    assert await let_in(bus, key["key"]) == [None]
    with pytest.raises(CommandFailed, match=r"is revoked.*keys create"):
        await rotate_key(key["key_id"], overlap_hours=0, as_json=True)

    await printed(revoke_key(key["key_id"], erase=True))
    assert json.loads(await printed(show_keys(as_json=True))) == []
    assert await let_in(bus, "") == [LOCAL]


@pytest.mark.parametrize(
    ("user", "role", "scopes", "why"),
    [
        ("a b", Role.USER, [], r"'a b' has to be"),
        ("dora", Role.USER, [Ability.ADMIN_READ], r"user has not admin:read. It has: .*turns:read"),
    ],
)
async def test_what_no_key_can_be_is_said(
    printed: Print, user: str, role: Role, scopes: list[Ability], why: str
) -> None:
    with pytest.raises(CommandFailed, match=why):
        await create_key(user, role, scopes=scopes, days=None, label="", as_json=True)


async def test_an_id_without_a_key_is_said(printed: Print) -> None:
    with pytest.raises(CommandFailed, match=r"no key 00000000.*keys list"):
        await revoke_key("00000000", erase=False)
