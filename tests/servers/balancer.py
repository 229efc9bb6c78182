"""A plain TCP balancer: each connection goes to the next server that takes it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle

_PIECE_BYTES = 64 * 1024
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[int]:
    """Gives the port that it listens on. It knows no HTTP, and does not look whether a server lives."""
    turns, passing = cycle(ports), set[asyncio.Task[None]]()

    async def pass_on(client: Connection) -> None:
        try:
            for port in (next(turns) for _ in ports):
                with suppress(OSError):
                    there = await asyncio.open_connection("127.0.0.1", port)
                    await _both_ways(client, there)
                    return
        finally:
            client[1].close()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(pass_on((reader, writer)))
        passing.add(task)
        task.add_done_callback(passing.discard)

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)


async def _both_ways(client: Connection, server: Connection) -> None:
    """Returns when the server has closed, or died. A client that leaves closes its server's connection."""
    asking = asyncio.create_task(_pump(client[0], server[1]))
    try:
        await _pump(server[0], client[1])
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        server[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()
