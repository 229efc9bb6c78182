"""Kept replies in Redis: of each user one hash, so that a drop is one command and leaves no bytes behind."""

from collections.abc import Collection
from typing import Any

from uuid_utils import uuid4

from services.indexer.caching.replies import KEEP_SECONDS, Kept
from shared.redis.server import RedisServer

_MARK = "mark"
_MOST_REPLIES = 1000
"""Of one user."""
_FIND = """
local mark = redis.call('hget', KEYS[1], ARGV[1])
if not mark then
    mark = ARGV[2]
    redis.call('hset', KEYS[1], ARGV[1], mark)
    redis.call('expire', KEYS[1], ARGV[3])
end
return {mark, redis.call('hget', KEYS[1], ARGV[4])}
"""
_KEEP = """
local is_valid = redis.call('hget', KEYS[1], ARGV[1]) == ARGV[2]
if is_valid and redis.call('hlen', KEYS[1]) < tonumber(ARGV[3]) then
    redis.call('hset', KEYS[1], ARGV[4], ARGV[5])
end
"""


class RedisReplies:
    """Draws a mark where there is none, so that after a drop or an eviction no earlier reply comes back."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._find: Any = server.client.register_script(_FIND)
        self._keep: Any = server.client.register_script(_KEEP)

    async def find(self, user: str, key: str) -> Kept:
        arguments = [_MARK, uuid4().hex, int(KEEP_SECONDS), key]
        mark, body = await self._server.ask(lambda: self._find(keys=[_key(user)], args=arguments))
        return Kept(mark, body)

    async def keep(self, user: str, key: str, mark: bytes, body: bytes) -> None:
        arguments = [_MARK, mark, _MOST_REPLIES, key, body]
        await self._server.ask(lambda: self._keep(keys=[_key(user)], args=arguments))

    async def drop(self, users: Collection[str]) -> None:
        keys = [_key(user) for user in users]
        if keys:
            await self._server.ask(lambda: self._server.client.delete(*keys))


def _key(user: str) -> str:
    return f"replies:{user}"
