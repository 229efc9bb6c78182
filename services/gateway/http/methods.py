"""What OPTIONS answers: every method of an address."""

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send


def with_all_methods(app: ASGIApp) -> ASGIApp:
    """A middleware of Litestar, whose own answer knows only the methods of the first route of an address."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_all(message: Message) -> None:
            if message["type"] == "http.response.start":
                routes, asked = scope["app"].routes, scope["path_template"]
                methods = {
                    str(one) for route in routes if route.path_format == asked for one in route.methods
                }
                MutableScopeHeaders.from_message(message)["allow"] = ", ".join(sorted(methods))
            await send(message)

        is_asked = scope["type"] == ScopeType.HTTP and scope["method"] == HttpMethod.OPTIONS
        await app(scope, receive, send_all if is_asked else send)

    return middleware
