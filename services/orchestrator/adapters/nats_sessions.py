"""What users have set for their sessions, in a JetStream key-value bucket of its own."""

import logging
from contextlib import suppress
from datetime import datetime

import msgspec

from shared.bus import Bus
from shared.errors import Poison
from shared.events import ForgetRequested, decode, encode
from shared.keys import Conflict, Entry, Keys, key_from, parts_of
from shared.streams import SESSION_SETTINGS

log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    recipe: str = ""
    set_at: datetime
    """In the value: a key that is written again, to erase old bytes, gets another time from the server."""


class BusSessionRecipes:
    """SessionRecipes over `Keys`: a session that nothing is set for has no key."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Keys(bus, SESSION_SETTINGS)

    async def recipe_of(self, user: str, session_id: str) -> str:
        kept = _read(await self._keys.get(key_from(user, session_id)))
        return "" if kept is None else kept.recipe

    async def sessions_of(self, user: str) -> list[str]:
        found = []
        for key in await self._keys.names(user):
            with suppress(ValueError):  # Whoever may connect may write here; no session has such a key.
                _, session_id = parts_of(key)
                found.append(session_id)
        return sorted(found)

    async def keep(self, user: str, session_id: str, recipe: str, at: datetime) -> None:
        """The last one that is set holds, whoever was asked to."""
        key = key_from(user, session_id)
        if not recipe:
            await self._keys.purge(key)
            return
        value = encode(Kept(recipe=recipe, set_at=at))
        while True:
            entry = await self._keys.get(key)
            with suppress(Conflict):
                await self._keys.put(key, value, revision=0 if entry is None else entry.revision)
                return

    async def forget(self, order: ForgetRequested) -> int:
        """Takes away what was set before the order; how much that was."""
        match order.scope:
            case "turn" | "memory":
                return 0
            case "session":
                keys = [key_from(order.user, order.target)]
            case "user":
                keys = await self._keys.names(order.user)
        removed = 0
        for key in keys:
            entry = await self._keys.get(key)
            if entry is None or ((kept := _read(entry)) is not None and kept.set_at > order.requested_at):
                continue
            await self._keys.remove(key, revision=entry.revision)
            removed += 1
        return removed


def _read(entry: Entry | None) -> Kept | None:
    if entry is None:
        return None
    try:
        return decode(Kept, entry.value)
    except Poison as poison:  # Whoever may connect may write here; turns go on without it.
        log.warning("what is set for a session cannot be read: %s", poison)
        return None
