"""What `pandora keys` does: makes, shows, rotates and revokes keys."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from rich.table import Table
from rich.text import Text

from cli.keys.bucket import key_bucket
from cli.terminal.failure import CommandFailed
from cli.terminal.output import console, harmless, plain_table, print_json, print_note, print_text
from shared.contract.abilities import ABILITIES_OF, Ability, Role
from shared.contract.events import User
from shared.contract.keys import ApiKey, KeyDigest, digest_of, key_text

_SECRET_BYTES = 32
E = TypeVar("E", Role, Ability)


async def create_key(
    user: str, role_name: str, *, scopes: Sequence[str], days: int | None, label: str, as_json: bool
) -> None:
    """Prints the key. Raises CommandFailed."""
    role = _one_of(Role, role_name, "--role")
    abilities = [_one_of(Ability, scope, "--scope") for scope in scopes]
    _check(user, role, abilities)
    now, key_id = datetime.now(UTC), secrets.token_hex(4)
    key = key_text(key_id, secrets.token_urlsafe(_SECRET_BYTES))
    stored = ApiKey(
        key_id=key_id,
        user=user,
        role=role,
        scopes=sorted(set(abilities)),
        label=label,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
        digests=[KeyDigest(digest=digest_of(key))],
    )
    async with key_bucket() as bucket:
        await bucket.put(stored)
    _print_once(key, stored, as_json=as_json)


async def rotate_key(key_id: str, *, overlap_hours: float, as_json: bool) -> None:
    """Prints the new key. Raises CommandFailed."""
    now = datetime.now(UTC)
    key = key_text(key_id, secrets.token_urlsafe(_SECRET_BYTES))
    async with key_bucket() as bucket:
        stored, revision = await bucket.get(key_id)
        if (state := stored.state(now)) != "active":
            raise CommandFailed(f"The key {key_id} is {state}. Make a new one: `pandora keys create`.")
        rotated = stored.rotated(key, now, now + timedelta(hours=overlap_hours))
        await bucket.put(rotated, revision)
    _print_once(key, rotated, as_json=as_json)


async def revoke_key(key_id: str, *, erase: bool) -> None:
    async with key_bucket() as bucket:
        stored, revision = await bucket.get(key_id)
        if erase:
            await bucket.erase(key_id, revision)
        else:
            await bucket.put(stored.revoked(datetime.now(UTC)), revision)
    print_text(f"The key {key_id} of {stored.user} lets nobody in any more.")


async def show_keys(*, as_json: bool) -> None:
    async with key_bucket() as bucket:
        keys = await bucket.all()
    now = datetime.now(UTC)
    if as_json:
        print_json([_row(key, now) for key in keys])
    elif keys:
        console.print(_table(keys, now))
    else:
        print_text("No keys in the bucket. `pandora keys create --user NAME` makes one.")


def _one_of(kind: type[E], name: str, option: str) -> E:
    try:
        return kind(name)
    except ValueError:
        raise CommandFailed(f"{option} {name!r}: it is one of {', '.join(kind)}.") from None


def _check(user: str, role: Role, scopes: Sequence[Ability]) -> None:
    try:
        msgspec.convert(user, User)
    except msgspec.ValidationError as error:
        raise CommandFailed(f"The user {user!r} has to be 1 to 64 of A-Z a-z 0-9 _ . @ -.") from error
    if missing := [scope for scope in scopes if scope not in ABILITIES_OF[role]]:
        raise CommandFailed(
            f"The role {role} has not {', '.join(missing)}. It has: {', '.join(sorted(ABILITIES_OF[role]))}."
        )


def _print_once(key: str, stored: ApiKey, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": key} | _row(stored, datetime.now(UTC)))
        return
    print_text(key)
    print_note("This key is shown now and never again: only its digest is stored.")


def _row(key: ApiKey, now: datetime) -> dict[str, object]:
    row: dict[str, object] = msgspec.to_builtins(key)
    del row["digests"]
    return row | {"state": key.state(now)}


def _table(keys: Sequence[ApiKey], now: datetime) -> Table:
    table = plain_table("id", "user", "role", "scopes", "state", "made", "expires", "label")
    for key in keys:
        expires = "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}"
        values = (key.key_id, key.user, key.role, " ".join(key.scopes) or "all", key.state(now))
        table.add_row(*values, f"{key.created_at:%Y-%m-%d}", expires, Text(harmless(key.label)))
    return table
