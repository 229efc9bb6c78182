"""The recipes of sessions, in a JetStream key-value bucket."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import msgspec
from nats.aio.msg import Msg

from shared.bus.buckets import Bucket, BucketEntry, key_from, parts_of
from shared.bus.connection import Bus
from shared.bus.streams import SESSION_SETTINGS
from shared.bus.tail import Tail
from shared.contract.errors import Poison
from shared.contract.events import ForgetRequested, decode, encode

log = logging.getLogger(__name__)


class StoredRecipe(msgspec.Struct, frozen=True, kw_only=True):
    recipe: str = ""
    set_at: datetime
    """Part of the value: the server's own time changes where a key is written again to erase old bytes."""


class BusSessionRecipes:
    """SessionRecipes over `Bucket`. A session without a recipe has no key."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Bucket(bus, SESSION_SETTINGS)

    async def recipe_of(self, user: str, session_id: str) -> str:
        stored = _read(await self._keys.get(key_from(user, session_id)))
        return "" if stored is None else stored.recipe

    async def sessions_of(self, user: str) -> list[str]:
        found = []
        for key in await self._keys.keys(user):
            with suppress(ValueError):  # A key that another program wrote; no session has such a key.
                _, session_id = parts_of(key)
                found.append(session_id)
        return sorted(found)

    async def keep(self, user: str, session_id: str, recipe: str, at: datetime) -> None:
        key = key_from(user, session_id)
        if recipe:
            await self._keys.put_last(key, encode(StoredRecipe(recipe=recipe, set_at=at)))
        else:
            await self._keys.purge(key)

    async def forget(self, order: ForgetRequested) -> int:
        """Deletes what was set before the order. Returns how many keys that were.

        What clients keep with their conversations stands under keys that begin with the session's.
        """
        match order.scope:
            case "turn" | "memory":
                return 0
            case "session":
                own = key_from(order.user, order.target)
                keys = [own, *await self._keys.keys(order.user, order.target)]
            case "user":
                keys = await self._keys.keys(order.user)
        removed = 0
        for key in keys:
            entry = await self._keys.get(key)
            if entry is None or ((stored := _read(entry)) is not None and stored.set_at > order.requested_at):
                continue
            await self._keys.remove(key, revision=entry.revision)
            removed += 1
        return removed


class WatchedSessionRecipes:
    """The recipes of sessions, for the turns of this process. A session without one costs no request.

    A tail of the bucket tells which sessions were ever set. Of those the bucket itself is asked. A setting
    that another process writes is known here some milliseconds later.
    """

    def __init__(self, bus: Bus, *, missing: Callable[[], Awaitable[None]]) -> None:
        self._stored = BusSessionRecipes(bus)
        self._keys = Bucket(bus, SESSION_SETTINGS)
        self._set: set[str] = set()
        self._tail = Tail(
            bus,
            self._keys.stream,
            take=self._see,
            lost=self._set.clear,
            missing=missing,
            headers_only=True,
        )

    async def run(self) -> None:
        """Reads which sessions are set. Never returns."""
        await self._tail.run()

    async def recipe_of(self, user: str, session_id: str) -> str:
        if self._tail.is_current and key_from(user, session_id) not in self._set:
            return ""
        return await self._stored.recipe_of(user, session_id)

    def _see(self, message: Msg) -> None:
        self._set.add(self._keys.key_of(message.subject))


def _read(entry: BucketEntry | None) -> StoredRecipe | None:
    if entry is None:
        return None
    try:
        return decode(StoredRecipe, entry.value)
    except Poison as poison:  # Other programs can write here; turns run without it.
        log.warning("what is set for a session cannot be read: %s", poison)
        return None
