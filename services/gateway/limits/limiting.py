"""Refuses a request of a user who is over a limit, and tells with each answer what remains."""

from asyncio import gather
from collections.abc import Callable
from time import time
from typing import Any, NamedTuple

from limits import WindowStats
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.http.callers import Caller
from services.gateway.http.problems import OverLimit
from services.gateway.limits.counts import Counts, Limit
from services.gateway.settings import LimitSettings, rate
from shared.contract.abilities import Ability

_GENERATING = (Ability.TURNS_WRITE,)
"""Requests of this ability may cost tokens."""


class _Held(NamedTuple):
    """A limit that a request is held against."""

    limit: Limit
    whose: str
    called: str
    """Who has used it up, for people."""
    is_told: bool = False
    """The answer's headers say what remains."""


class Limits:
    """The limits that are set, by what is counted."""

    def __init__(self, settings: LimitSettings, counts: Counts) -> None:
        self._counts = counts
        self._requests = _limit("requests", settings.limit_requests, is_exact=True)
        self._key_requests = _limit("key_requests", settings.limit_key_requests, is_exact=True)
        self._bytes = _limit("bytes", settings.limit_bytes)
        self._tokens = _limit("tokens", settings.limit_tokens)

    @property
    def are_set(self) -> bool:
        return any((self._requests, self._key_requests, self._bytes, self._tokens))

    @property
    def count_tokens(self) -> bool:
        return self._tokens is not None

    async def admit(self, caller: Caller, ability: object) -> list[tuple[bytes, bytes]]:
        """Counts the request. Returns what the answer's headers say of what remains. Raises OverLimit."""
        held = self._held_against(caller, ability)
        # All at once: each is a way to Redis and back.
        windows = await gather(*(self._counts.window(one.limit, one.whose) for one in held))
        for one, window in zip(held, windows, strict=True):
            if window.remaining <= 0:
                raise _over(one, window)
        counted = [one for one in held if one.limit.is_exact]
        uses = await gather(*(self._counts.use(one.limit, one.whose) for one in counted))
        for one, is_admitted in zip(counted, uses, strict=True):
            if not is_admitted:  # Others were faster.
                raise _over(one, await self._counts.window(one.limit, one.whose))
        return [
            header
            for one, window in zip(held, windows, strict=True)
            if one.is_told
            for header in _headers(one.limit, window, used=int(one.limit.is_exact))
        ]

    def _held_against(self, caller: Caller, ability: object) -> list[_Held]:
        user = caller.name
        held: list[_Held] = []
        if self._key_requests is not None and caller.key:
            held.append(_Held(self._key_requests, caller.key, f"this key of {user}"))
        if self._requests is not None:
            held.append(_Held(self._requests, user, user, is_told=True))
        if self._bytes is not None:
            held.append(_Held(self._bytes, user, user))
        if self._tokens is not None and ability in _GENERATING:
            held.append(_Held(self._tokens, user, user, is_told=True))
        return held

    async def note_bytes(self, user: str, sent: int) -> None:
        if self._bytes is not None and sent:
            await self._counts.use(self._bytes, user, sent)

    async def note_tokens(self, user: str, tokens: int) -> None:
        if self._tokens is not None and tokens:
            await self._counts.use(self._tokens, user, tokens)


def limited(limits: Limits) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware of Litestar, after it is known who asks."""

    def wrapped(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            caller: Any = scope.get("user")
            if caller is None or not limits.are_set:
                await app(scope, receive, send)
                return
            headers = await limits.admit(caller, scope["route_handler"].opt.get("ability"))
            taken = 0

            async def receive_counted() -> Any:
                nonlocal taken
                message: Any = await receive()
                taken += len(message.get("body", b""))
                return message

            async def send_with_limits(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *headers]
                await send(message)

            try:
                await app(scope, receive_counted, send_with_limits)
            finally:
                await limits.note_bytes(caller.name, taken)

        return middleware

    return wrapped


def _limit(name: str, text: str, *, is_exact: bool = False) -> Limit | None:
    item = rate(text)
    if item is None:
        return None
    return Limit(name=name, rate=item, setting=f"LIMIT_{name.upper()}", is_exact=is_exact)


def _over(held: _Held, window: WindowStats) -> OverLimit:
    limit = held.limit
    allowed = f"{limit.setting} allows {limit.rate.amount} in {limit.rate.get_expiry()} s"
    return OverLimit(
        f"{held.called} has used all {limit.name.replace('_', ' ')}: {allowed}", window.reset_time - time()
    )


def _headers(limit: Limit, window: WindowStats, *, used: int) -> list[tuple[bytes, bytes]]:
    """As OpenAI names them. `used`: since the window was read."""
    values = {
        "limit": str(limit.rate.amount),
        "remaining": str(max(0, window.remaining - used)),
        "reset": f"{max(0.0, window.reset_time - time()):.0f}s",
    }
    return [(f"x-ratelimit-{name}-{limit.name}".encode(), value.encode()) for name, value in values.items()]
