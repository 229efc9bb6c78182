"""Lines that are typed, pasted or piped in, read without holding up what else goes on."""

import asyncio
import os
import sys
from select import select

_READ_BYTES = 64 * 1024
_PASTE_SECONDS = 0.05
"""What comes within this after a line was pasted with it: no person types so fast."""


class Interrupted(Exception):
    """Ctrl-C was pressed while a line was edited."""


class Lines:
    """Of stdin. A terminal without any abilities will do, and so will a pipe or a file."""

    def __init__(self) -> None:
        self._keyboard = sys.stdin.fileno()
        self._encoding = sys.stdin.encoding
        self._is_terminal = sys.stdin.isatty()
        self._begun = b""

    async def line(self) -> str | None:
        """Returns the next line without its end. None: the input has ended."""
        while b"\n" not in self._begun:
            await self._until_readable()
            piece = os.read(self._keyboard, _READ_BYTES)
            if not piece:
                rest, self._begun = self._begun, b""
                return self._text(rest) if rest else None
            self._begun += piece
        line, _, self._begun = self._begun.partition(b"\n")
        return self._text(line)

    async def message(self) -> str | None:
        """Returns the next line, at a terminal with the lines that were pasted with it."""
        first = await self.line()
        if first is None or not self._is_terminal:
            return first
        lines = [first]
        while await self._more_came() and (line := await self.line()) is not None:
            lines.append(line)
        return "\n".join(lines)

    async def _more_came(self) -> bool:
        if b"\n" in self._begun:
            return True
        await asyncio.sleep(_PASTE_SECONDS)
        return bool(select([self._keyboard], [], [], 0)[0])

    async def _until_readable(self) -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._keyboard, readable.set)
        except PermissionError:  # A file can always be read.
            return
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._keyboard)

    def _text(self, line: bytes) -> str:
        return line.removesuffix(b"\r").decode(self._encoding, errors="replace")
