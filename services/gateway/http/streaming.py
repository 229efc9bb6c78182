"""Bodies that are sent while they are made."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from litestar.response import Stream


async def streamed(parts: AsyncGenerator[bytes, None], *, media_type: str, headers: dict[str, str]) -> Stream:
    """Waits for the first part: what has to be refused is refused before anything is sent."""
    first = await anext(parts)

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                if part:
                    yield part

    return Stream(whole(), media_type=media_type, headers=headers)
