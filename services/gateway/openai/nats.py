"""Chats over a key-value bucket."""

from services.gateway.openai.ports import Chat, KnownChat
from shared.bus.buckets import Bucket, Conflict, key_from
from shared.bus.connection import Bus
from shared.bus.streams import CHATS
from shared.contract.events import decode, encode


class BusChats:
    """All gateways see them, and they outlive restarts for 30 days."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Bucket(bus, CHATS)

    async def find(self, user: str, messages_hash: str) -> KnownChat | None:
        entry = await self._keys.get(key_from(user, messages_hash))
        return None if entry is None else KnownChat(decode(Chat, entry.value), entry.revision)

    async def write(self, messages_hash: str, known: KnownChat) -> int | None:
        key = key_from(known.chat.user, messages_hash)
        try:
            return await self._keys.put(key, encode(known.chat), revision=known.revision)
        except Conflict:
            return None
