"""While the disk is full, nothing is taken in: 503 with the disk, what is left, and what to do."""

from collections.abc import Callable

from litestar.types import ASGIApp, Receive, Scope, Send

from shared.process.room import Disk


def with_room(disk: Disk) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware of Litestar. It runs once a route is found, and before the request is read.

    It refuses routes with `needs_room=True`: they bring in something new. What reads, cancels or forgets
    goes on.
    """

    def wrapped(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["route_handler"].opt.get("needs_room"):
                disk.demand()
            await app(scope, receive, send)

        return middleware

    return wrapped
