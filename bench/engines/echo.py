"""python -m bench.engines.echo PORT NATS_URL: a bare process on the bus.

The subject `bench.echo` answers with what it got; `bench.tokens` with as many messages as the body says, one
token each: what NATS itself carries, with no turn around it.
"""

import asyncio
import signal
import sys

import nats
import uvloop
from nats.aio.msg import Msg

from bench.engines.instant import WORD
from shared.contract.events import OutputDelta, encode


async def main(port: int, url: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    client = await nats.connect(url)

    async def echo(message: Msg) -> None:
        await message.respond(message.data)

    async def tokens(message: Msg) -> None:
        for index in range(int(message.data)):
            await client.publish(message.reply, encode(OutputDelta(index=index, text=WORD)))

    await client.subscribe("bench.echo", cb=echo)
    await client.subscribe("bench.tokens", cb=tokens)
    await client.flush()
    await client.flush()
    health = await asyncio.start_server(_healthy, "127.0.0.1", port)
    await stopped.wait()
    health.close()
    await client.close()


async def _healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
