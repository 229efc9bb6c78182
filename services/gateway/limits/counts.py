"""What users have used: counted in Redis for all gateways, or, while it is away, in each one alone."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from limits import RateLimitItem, WindowStats
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

from shared.redis.server import Away, RedisServer

T = TypeVar("T")


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is counted."""

    name: str
    """What is counted: `requests`, `bytes`, `tokens`."""
    rate: RateLimitItem
    setting: str
    is_exact: bool = False
    """Counts by the moment of each use, which takes a place for each. Otherwise a window begins with its
    first use, and around its end twice as much may be used in a short time."""


class Counts:
    """Each call raises nothing: where Redis is away, this gateway counts for itself."""

    def __init__(self, server: RedisServer | None) -> None:
        self._server = server
        self._own = _Counters(MemoryStorage())
        self._all = _Counters(_storage(server)) if server is not None else self._own

    async def use(self, limit: Limit, user: str, amount: int = 1) -> bool:
        """Counts it, and returns False where it is over the limit."""
        return await self._asked(lambda by: by.of(limit).hit(limit.rate, limit.name, user, cost=amount))

    async def window(self, limit: Limit, user: str) -> WindowStats:
        """What remains, and when the window ends (seconds since 1970)."""
        return await self._asked(lambda by: by.of(limit).get_window_stats(limit.rate, limit.name, user))

    async def _asked(self, call: Callable[["_Counters"], Coroutine[Any, Any, T]]) -> T:
        if self._server is None:
            return await call(self._own)
        try:
            return await self._server.ask(lambda: call(self._all))
        except Away:
            return await call(self._own)


class _Counters:
    def __init__(self, storage: Storage) -> None:
        self._moving, self._fixed = MovingWindowRateLimiter(storage), FixedWindowRateLimiter(storage)

    def of(self, limit: Limit) -> RateLimiter:
        return self._moving if limit.is_exact else self._fixed


def _storage(server: RedisServer) -> Storage:
    # It makes a client of its own over our connections; the address is not used.
    over: Any = {"connection_pool": server.client.connection_pool}
    return RedisStorage("async+valkey://localhost:6379", implementation="valkey", key_prefix="limits", **over)
