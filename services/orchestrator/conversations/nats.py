"""The texts of conversations, in the bucket of what is set for sessions."""

from datetime import datetime
from typing import Final

import msgspec

from shared.bus.buckets import Bucket, key_from
from shared.bus.connection import Bus
from shared.bus.streams import SESSION_SETTINGS
from shared.contract.events import decode, encode

_PART: Final = "conversation"


class StoredTexts(msgspec.Struct, frozen=True, kw_only=True):
    texts: dict[str, str]
    set_at: datetime
    """As of a session's recipe: what was kept before an order to forget goes with its session."""


class BusConversationTexts:
    """ConversationTexts under a key next to that of the session's recipe."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Bucket(bus, SESSION_SETTINGS)

    async def texts_of(self, user: str, session_id: str) -> dict[str, str] | None:
        entry = await self._keys.get(key_of(user, session_id))
        return None if entry is None else decode(StoredTexts, entry.value).texts

    async def keep(self, user: str, session_id: str, texts: dict[str, str], at: datetime) -> None:
        value = encode(StoredTexts(texts=texts, set_at=at))
        await self._keys.put_last(key_of(user, session_id), value)


def key_of(user: str, session_id: str) -> str:
    return key_from(user, session_id, _PART)
