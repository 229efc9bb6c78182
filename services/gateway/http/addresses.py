"""Names in addresses: a name may hold any character, and only a slash that is sent as one divides an address.

A server hands on the path decoded, so that `a%2Fb` and `a/b` are the same to a router. Here the path is
taken as it was sent. Routes are found by its encoded parts, and the names are decoded after that.
"""

from typing import Any, cast
from urllib.parse import quote, unquote, unquote_to_bytes

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.exceptions import NotFoundException
from litestar.types import (
    ASGIApp,
    HTTPScope,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Receive,
    Scope,
    Send,
)

from shared.contract.errors import Refused


class AddressedApp(Litestar):
    """Its router sees each part of the path encoded, so that no name is split or resolved."""

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        if scope["type"] == ScopeType.HTTP:
            request = cast(HTTPScope, scope)
            request["path"] = encoded_path(request["raw_path"])
        await super().__call__(scope, receive, send)


def encoded_path(raw_path: bytes) -> str:
    """Writes each part in one form, however it was sent: `%73essions` is `sessions`, `a@b` is `a%40b`."""
    return "/".join(quote(unquote_to_bytes(part), safe="") for part in raw_path.split(b"/"))


def named(app: ASGIApp) -> ASGIApp:
    """A middleware of Litestar, after the router: decodes the names that it found.

    An empty part names nothing: a client that forgot to encode `work/` must not reach the session `work`.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if names := scope["path_params"]:
            if "" in scope["raw_path"].decode().split("/")[1:]:
                raise NotFoundException
            scope["path_params"] = {field: _decoded(name) for field, name in names.items()}
        await app(scope, receive, send)

    return middleware


def _decoded(name: Any) -> Any:
    """Numbers are decoded already. Raises Refused."""
    try:
        return unquote(name, errors="strict") if isinstance(name, str) else name
    except UnicodeDecodeError as error:
        raise Refused(
            422, f"the address has a name that is not UTF-8: {name}; encode names as UTF-8, then in percent"
        ) from error
