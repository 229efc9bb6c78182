"""Replies that are kept for the same request of the same user, until something of that user changes.

What is kept is never older than the last change that its user was told of: every change drops all replies of
the user before it is answered or acknowledged, and a reply computed before the drop is not kept after it.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import wraps
from typing import Any, Final, Protocol

import msgspec

from services.indexer.caching.kinds import CHANGES, KEPT, user_of
from shared.bus.endpoints import Endpoint
from shared.contract.events import UNREADABLE
from shared.contract.requests import FreshResearchReply, Request
from shared.process import metrics
from shared.redis.server import Away

KEEP_SECONDS: Final = 300.0
"""How long a reply is kept at most. So long may another indexer answer with an outdated one, where this one
changed something while it alone could not reach the cache."""
_LARGEST_BYTES = 256 * 1024


class Kept(msgspec.Struct, frozen=True):
    """What the cache has. `mark` stands for the time since the user's last change."""

    mark: bytes
    body: bytes | None


class KeptReplies(Protocol):
    """Raises Away."""

    async def find(self, user: str, key: str) -> Kept: ...

    async def keep(self, user: str, key: str, mark: bytes, body: bytes) -> None:
        """Does nothing where something of the user has changed since `mark` was read."""
        ...

    async def drop(self, users: Collection[str]) -> None:
        """All replies of these users."""
        ...


class NothingKept:
    """Where there is no cache."""

    async def find(self, user: str, key: str) -> Kept:
        raise Away("there is no cache; REDIS_CACHE_URL names one")

    async def keep(self, user: str, key: str, mark: bytes, body: bytes) -> None:
        """Nothing."""

    async def drop(self, users: Collection[str]) -> None:
        """Nothing."""


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    until: float
    """Seconds since 1970."""
    reply: msgspec.Raw


class Caching:
    """Puts itself before endpoints, and after what changes something."""

    def __init__(self, kept: KeptReplies, clock: Callable[[], float] = time.time) -> None:
        self._kept = kept
        self._clock = clock
        self._owed: set[str] = set()
        """Users whose replies could not be dropped. For them nothing is read until they are."""

    def over(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """The same endpoints, with what they answer kept, or dropped where they change something."""
        return [self._over(one) for one in endpoints]

    def _over(self, one: Endpoint) -> Endpoint:
        if one.request in KEPT:
            return msgspec.structs.replace(one, answer=self._kept_answer(one, KEPT[one.request]))
        if one.request in CHANGES:
            return msgspec.structs.replace(one, answer=self._changing(one.answer))
        return one

    def _changing(self, answer: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(answer)
        async def changing(request: Request[Any], *send: Any) -> Any:
            try:
                return await answer(request, *send)
            finally:  # A part of it may be done.
                await self.drop([user_of(request)])

        return changing

    def _kept_answer(self, one: Endpoint, kind: str) -> Callable[..., Awaitable[Any]]:
        counted = metrics.cache_requests.labels

        @wraps(one.answer)
        async def answer(request: Request[Any]) -> Any:
            user, key = user_of(request), _key_of(request)
            try:
                await self._pay(user)
                found = await self._kept.find(user, key)
            except Away:
                counted(kind, "away").inc()
                return await one.answer(request)
            if found.body is not None and (reply := self._read(one, found.body)) is not None:
                counted(kind, "hit").inc()
                return reply
            counted(kind, "miss").inc()
            reply = await one.answer(request)
            await self._keep(user, key, found.mark, reply)
            return reply

        return answer

    def _read(self, one: Endpoint, body: bytes) -> Any:
        """Returns None where it holds no longer, or where another version kept it in another form."""
        try:
            entry = msgspec.json.decode(body, type=_Entry)
            return msgspec.json.decode(entry.reply, type=one.reply) if entry.until > self._clock() else None
        except UNREADABLE:
            return None

    async def _keep(self, user: str, key: str, mark: bytes, reply: msgspec.Struct) -> None:
        until = self._clock() + KEEP_SECONDS
        if isinstance(reply, FreshResearchReply):
            until = min([until, *(page.expires_at.timestamp() for page in reply.pages)])
        body = msgspec.json.encode(_Entry(until, msgspec.Raw(msgspec.json.encode(reply))))
        if len(body) <= _LARGEST_BYTES:
            try:
                await self._kept.keep(user, key, mark, body)
            except Away:
                return  # It is computed again the next time.

    async def drop(self, users: Collection[str]) -> None:
        """To be called when a change can be seen, and before anybody is told of it."""
        self._owed.update(users)
        try:
            await self._kept.drop(owed := frozenset(self._owed))
        except Away:
            return  # What is kept of them is not read here until it is dropped.
        self._owed -= owed

    async def _pay(self, user: str) -> None:
        """Raises Away where the replies of this user have still to be dropped."""
        if user in self._owed:
            await self._kept.drop([user])
            self._owed.discard(user)


def _key_of(request: Request[Any]) -> str:
    return hashlib.sha256(request.subject.encode() + b" " + msgspec.json.encode(request)).hexdigest()
