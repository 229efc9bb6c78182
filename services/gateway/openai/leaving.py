"""Work that ends where its client leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from litestar.types import Receive

from services.gateway.live.sse import until_left
from shared.contract.errors import Refused

T = TypeVar("T")
_CLIENT_LEFT: Final = 499
"""No client reads it. It is the usual status for it in logs and metrics."""


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Cancels the work where the client leaves first, and raises Refused. Call it after reading the body."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(until_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
    raise Refused(_CLIENT_LEFT, "the client left before the answer")
