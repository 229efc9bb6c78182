"""How many turns of a user may wait or run at once.

A turn takes a place when it is handed in. Nobody has to give it back: where all are taken, the turns that
hold them are looked at, and those that have ended let go. So a gateway that dies leaves no place taken.
"""

from collections.abc import Awaitable, Callable, Collection
from time import time
from typing import Any, Final, Protocol

from services.gateway.http.problems import OverLimit
from shared.redis.server import Away, RedisServer

Ended = Callable[[str, str], Awaitable[bool]]
"""Whether this turn, of this user, has ended."""
_HELD_SECONDS: Final = 24 * 3600
"""A turn that nobody knows any more lets go then."""
_RETRY_SECONDS = 2.0
_TAKE = """
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1] - ARGV[2])
if not redis.call('zscore', KEYS[1], ARGV[4]) then
    if redis.call('zcard', KEYS[1]) >= tonumber(ARGV[3]) then
        return 0
    end
    redis.call('zadd', KEYS[1], ARGV[1], ARGV[4])
    redis.call('expire', KEYS[1], ARGV[2])
end
return 1
"""


class Holders(Protocol):
    """Who holds the places of a user."""

    async def take(self, user: str, turn_id: str, places: int) -> bool:
        """False where all are taken. A turn that has one has it once."""
        ...

    async def list(self, user: str) -> list[str]: ...

    async def let_go(self, user: str, turn_ids: Collection[str]) -> None: ...


class Places:
    def __init__(self, places: int, holders: Holders, has_ended: Ended) -> None:
        """`places`: of each user; 0: as many as they like."""
        self._places = places
        self._holders = holders
        self._has_ended = has_ended

    async def take(self, user: str, turn_id: str) -> None:
        """Raises OverLimit."""
        if not self._places or await self._holders.take(user, turn_id, self._places):
            return
        held = await self._holders.list(user)
        await self._holders.let_go(user, [one for one in held if await self._has_ended(one, user)])
        if not await self._holders.take(user, turn_id, self._places):
            raise OverLimit(
                f"{self._places} turns of {user} wait or run, as many as LIMIT_TURNS allows", _RETRY_SECONDS
            )


class OwnHolders:
    """Of this gateway alone."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, float]] = {}

    async def take(self, user: str, turn_id: str, places: int) -> bool:
        held, now = self._held.setdefault(user, {}), time()
        for one in [one for one, since in held.items() if since < now - _HELD_SECONDS]:
            del held[one]
        if turn_id not in held and len(held) >= places:
            return False
        held.setdefault(turn_id, now)
        return True

    async def list(self, user: str) -> list[str]:
        return list(self._held.get(user, ()))

    async def let_go(self, user: str, turn_ids: Collection[str]) -> None:
        for one in turn_ids:
            self._held.get(user, {}).pop(one, None)


class SharedHolders:
    """Of all gateways, in Redis; while it is away, of this one alone."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._own = OwnHolders()
        self._take: Any = server.client.register_script(_TAKE)

    async def take(self, user: str, turn_id: str, places: int) -> bool:
        arguments = [time(), _HELD_SECONDS, places, turn_id]
        try:
            return bool(await self._server.ask(lambda: self._take(keys=[_key(user)], args=arguments)))
        except Away:
            return await self._own.take(user, turn_id, places)

    async def list(self, user: str) -> list[str]:
        try:
            held = await self._server.ask(lambda: self._server.client.zrange(_key(user), 0, -1))
        except Away:
            return await self._own.list(user)
        return [one.decode() for one in held]

    async def let_go(self, user: str, turn_ids: Collection[str]) -> None:
        await self._own.let_go(user, turn_ids)
        if not turn_ids:
            return
        try:
            await self._server.ask(lambda: self._server.client.zrem(_key(user), *turn_ids))
        except Away:
            return  # They are looked at again.


def _key(user: str) -> str:
    return f"turns:{user}"
