"""Processes of tests, held for a while."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HeldServer:
    """A server that a test stops, freezes or kills. What it is, and how it starts, is its subclass's."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            await self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stand, and nothing is answered."""
        assert self._process is not None
        pause(self._process.pid)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def pause(pid: int) -> None:
    """Stops a process until SIGCONT; returns when each of its threads stands still, which takes a moment."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10.0
    while any(_state_of(task) != "T" for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(0.001)


def _state_of(task: Path) -> str:
    """Returns the letter after the name in brackets."""
    return (task / "stat").read_text().rpartition(") ")[2][0]
