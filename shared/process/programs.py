"""Runs another program to its end."""

import asyncio
import signal
from typing import Any


async def run_program(
    *command: str, body: bytes | None = None, stop_signal: int = signal.SIGKILL, **options: Any
) -> tuple[int, bytes]:
    """Returns its exit status and what it wrote to a `stdout=PIPE`.

    `body` is written to its standard input, where `stdin=PIPE`. `options` are those of
    `asyncio.create_subprocess_exec`. Where the caller is cancelled, the program gets `stop_signal` and is
    waited for.
    """
    process = await asyncio.create_subprocess_exec(*command, **options)
    try:
        output, _ = await process.communicate(body)
    finally:
        if process.returncode is None:
            process.send_signal(stop_signal)
            await process.wait()
    return await process.wait(), output or b""
