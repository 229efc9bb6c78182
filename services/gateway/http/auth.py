"""Authentication. A request is refused unless its caller has the ability that its route declares."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from services.gateway.http.callers import Caller
from shared.contract.abilities import Ability, Role, roles_with
from shared.contract.errors import Refused


class Callers(Protocol):
    """Finds who sends a request."""

    async def caller_of(self, credential: str) -> Caller:
        """`credential`: a key or a token, empty where none was sent. Raises Refused (401) and Transient."""
        ...


def authenticated(callers: Callers) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware of Litestar. It runs once a route is found, and before the request is read."""

    def wrapped(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            ability = cast(Ability, scope["route_handler"].opt.get("ability"))
            # Litestar answers OPTIONS itself, with the methods of the route and nothing else.
            if ability is not Ability.PUBLIC and scope.get("method") != "OPTIONS":
                caller = await callers.caller_of(credential_in(scope["headers"]))
                if ability not in caller.abilities:
                    raise _not_allowed(caller, ability)
                scope["user"] = caller
            await app(scope, receive, send)

        return middleware

    return wrapped


def credential_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    sent = dict(headers)
    authorization = sent.get(b"authorization", b"")
    is_bearer = authorization[:7].lower() == b"bearer "
    return (authorization[7:] if is_bearer else sent.get(b"x-api-key", b"")).decode("latin-1").strip()


def _not_allowed(caller: Caller, ability: Ability) -> Refused:
    roles = roles_with(ability)
    named = "" if Role.USER in roles else ". ADMIN_USERS makes admins of users of API_KEYS"
    return Refused(
        403,
        f"this key of {caller.name} has not the ability {ability}; the roles that have it: "
        f"{', '.join(roles)}. `pandora keys create --role` makes such a key{named}",
    )


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
