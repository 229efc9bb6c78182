"""Authentication. A request is refused unless its key has the ability that its route declares."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, cast

from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from services.gateway.http.callers import FOR_ADMINS, FOR_USERS, Caller
from shared.contract.abilities import Ability
from shared.contract.errors import Refused
from shared.contract.events import LOCAL_USER


class Keys:
    """Finds the caller that a key belongs to. Without keys every request is from the user `local`."""

    def __init__(self, users_by_key: dict[str, str], admins: frozenset[str]) -> None:
        self._admins = admins
        self._callers = {_digest(key): self._caller(user) for key, user in users_by_key.items()}
        self._local = None if users_by_key else self._caller(LOCAL_USER)

    def _caller(self, user: str) -> Caller:
        return Caller(user, FOR_ADMINS if user in self._admins else FOR_USERS)

    def caller_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        """Raises Refused (401)."""
        if self._local is not None:
            return self._local
        # A digest is looked up, not the key: so the time that it takes tells nothing about a key.
        caller = self._callers.get(_digest(_key_in(headers)))
        if caller is None:
            raise Refused(401, "send `Authorization: Bearer <key>` with a key from API_KEYS")
        return caller


def _key_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    sent = dict(headers)
    authorization = sent.get(b"authorization", b"")
    is_bearer = authorization[:7].lower() == b"bearer "
    return (authorization[7:] if is_bearer else sent.get(b"x-api-key", b"")).decode("latin-1")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def authenticated(keys: Keys) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware of Litestar. It runs once a route is found, and before the request is read."""

    def wrapped(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            ability = scope["route_handler"].opt.get("ability")
            # Litestar answers OPTIONS itself, with the methods of the route and nothing else.
            if ability is not Ability.PUBLIC and scope.get("method") != "OPTIONS":
                caller = keys.caller_of(scope["headers"])
                if ability not in caller.abilities:
                    raise Refused(
                        403,
                        f"{caller.name} is no admin; add the name to ADMIN_USERS and start the gateway "
                        "again, or ask one",
                    )
                scope["user"] = caller
            await app(scope, receive, send)

        return middleware

    return wrapped


class DeclaredAbilities(ReceiveRoutePlugin):
    """Stops the start where a route declares no ability."""

    def receive_route(self, route: BaseRoute) -> None:
        for handler in _handlers(route):
            if not isinstance(handler.opt.get("ability"), Ability):
                raise ImproperlyConfiguredException(
                    f"the route {route.path} ({handler}) declares no ability; add one to its decorator, "
                    "like `ability=Ability.TURNS_READ`"
                )


def _handlers(route: BaseRoute) -> list[BaseRouteHandler]:
    if not isinstance(route, HTTPRoute):
        return [cast(Any, route).route_handler]
    return [handler for handler in route.route_handlers if handler.http_methods != {"OPTIONS"}]
