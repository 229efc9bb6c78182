"""Refuses a request of a user who is over a limit, and tells with each answer what remains."""

from collections.abc import Callable
from time import time
from typing import Any

from limits import WindowStats
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.http.callers import Caller
from services.gateway.http.problems import OverLimit
from services.gateway.limits.counts import Counts, Limit
from services.gateway.settings import LimitSettings, rate
from shared.contract.abilities import Ability

_GENERATING = (Ability.TURNS_WRITE,)
"""Requests of this ability may cost tokens."""


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
        user = caller.name
        headers: list[tuple[bytes, bytes]] = []
        if self._key_requests is not None and caller.key:
            await self._use(self._key_requests, caller.key, f"this key of {user}")
        if self._requests is not None:
            headers += _headers(self._requests, await self._use(self._requests, user, user))
        if self._bytes is not None:
            _check(self._bytes, user, await self._counts.window(self._bytes, user))
        if self._tokens is not None and ability in _GENERATING:
            window = await self._counts.window(self._tokens, user)
            _check(self._tokens, user, window)
            headers += _headers(self._tokens, window)
        return headers

    async def _use(self, limit: Limit, whose: str, called: str) -> WindowStats:
        """Counts one. Raises OverLimit."""
        is_admitted = await self._counts.use(limit, whose)
        window = await self._counts.window(limit, whose)
        if not is_admitted:
            raise _over(limit, called, window)
        return window

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


def _check(limit: Limit, user: str, window: WindowStats) -> None:
    if window.remaining <= 0:
        raise _over(limit, user, window)


def _over(limit: Limit, user: str, window: WindowStats) -> OverLimit:
    allowed = f"{limit.setting} allows {limit.rate.amount} in {limit.rate.get_expiry()} s"
    return OverLimit(
        f"{user} has used all {limit.name.replace('_', ' ')}: {allowed}", window.reset_time - time()
    )


def _headers(limit: Limit, window: WindowStats) -> list[tuple[bytes, bytes]]:
    """As OpenAI names them."""
    values = {
        "limit": str(limit.rate.amount),
        "remaining": str(max(0, window.remaining)),
        "reset": f"{max(0.0, window.reset_time - time()):.0f}s",
    }
    return [(f"x-ratelimit-{name}-{limit.name}".encode(), value.encode()) for name, value in values.items()]
