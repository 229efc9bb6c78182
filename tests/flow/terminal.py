"""The `pandora` command at a terminal: a real pty, with keys that are pressed and what is shown."""

import asyncio
import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.stack import KEYS, Stack

_SECONDS = 60.0


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self._waited_for = 0
        self.shown = ""
        """All that came, with its control characters."""

    def press(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    async def until(self, *texts: str) -> None:
        """Waits until each text is shown, one after the other, and after what was waited for before."""
        for text in texts:
            async with asyncio.timeout(_SECONDS):
                while (place := self.shown.find(text, self._waited_for)) < 0:
                    self._read()
                    await asyncio.sleep(0.02)
            self._waited_for = place + len(text)

    async def until_ended(self) -> int:
        async with asyncio.timeout(_SECONDS):
            while (status := self.process.poll()) is None:
                self._read()
                await asyncio.sleep(0.02)
        self._read()
        return status

    def _read(self) -> None:
        try:
            self.shown += os.read(self._screen, 65536).decode(errors="replace").replace("\r\n", "\n")
        except (BlockingIOError, OSError):  # Nothing came, or the other end is closed.
            return


@asynccontextmanager
async def pandora_at_a_terminal(stack: Stack, *arguments: str, **settings: str) -> AsyncIterator[Terminal]:
    screen, keyboard = pty.openpty()
    os.set_blocking(screen, False)
    process = subprocess.Popen(  # noqa: ASYNC220  # starting it blocks for a moment only
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=stack.data_dir,
        env=stack.environment
        | {"PANDORA_API_KEY": KEYS["alice"], "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        | settings,
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(keyboard)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        os.close(screen)


def _take_terminal() -> None:
    """So that Ctrl-C reaches it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
