"""The inference service as a process of its own, as `pandora up` starts it."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.servers.ports import free_ports
from tests.stack import ROOT


@dataclass
class WorkerProcess:
    """A running `python -m services.inference`."""

    process: Process
    port: int

    async def get(self, path: str) -> tuple[int, str]:
        """(status, body); (0, "") while nothing listens."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self.port}{path}") as response,
            ):
                return response.status, await response.text()
        except aiohttp.ClientError:
            return 0, ""

    async def wait_until(self, path: str, status: int, seconds: float) -> str:
        """The body, once `path` answers with `status`."""
        seen = (0, "")
        async with asyncio.timeout(seconds):
            while seen[0] != status:
                assert self.process.returncode is None, "the worker has ended"
                await asyncio.sleep(0.1)
                seen = await self.get(path)
        return seen[1]

    async def stop(self, seconds: float) -> int:
        """Its exit status after a SIGTERM."""
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), seconds)


@asynccontextmanager
async def worker_process(**settings: str) -> AsyncIterator[WorkerProcess]:
    port = int(settings.get("INFERENCE_PORT", free_ports(1)[0]))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.inference",
        cwd=ROOT,
        env={**os.environ, "INFERENCE_PORT": str(port), **settings},
        stderr=PIPE if "INFERENCE_PORT" in settings else None,
    )
    try:
        yield WorkerProcess(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
