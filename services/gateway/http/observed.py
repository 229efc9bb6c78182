"""Gives each request an id, a trace and its metrics. Plain ASGI: it runs for every request."""

import re
from time import perf_counter
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send
from uuid_utils import uuid7

from shared.process import metrics
from shared.process.tracing import context_of, span

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def observed(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else str(uuid7())
        scope["pandora_request_id"] = request_id  # type: ignore[typeddict-unknown-key]
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                names = {name.lower() for name, _ in message["headers"]}
                if b"x-request-id" not in names:
                    message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        start = perf_counter()
        with span(scope["method"], context=context_of(headers)):
            try:
                await app(scope, receive, send_with_id)
            finally:
                route = _route(scope)
                metrics.http_requests.labels(scope["method"], route, str(status)).inc()
                metrics.http_seconds.labels(route).observe(perf_counter() - start)

    return cast(ASGIApp, middleware)  # The gateway has no websockets.


def _route(scope: Any) -> str:
    """The template of the route, not the path: labels of metrics hold no ids."""
    return str(scope.get("path_template") or "unknown")
