"""Questions to the person at the terminal."""

import asyncio
import os
import sys
import termios
from collections.abc import Awaitable, Callable

_LONGEST_LINE = 4096


def is_interactive() -> bool:
    """True where a person can read a question and answer it."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


async def confirmed(question: str, read: Callable[[], Awaitable[str]] | None = None) -> bool | None:
    """Asks until the answer is yes or no. An empty line is a no. Returns None where the input has ended.

    What was typed before the question does not count. It waits in the event loop: Ctrl-C would not reach a
    program that waits in `input`. `read` returns a line with its end, and an empty text at the end.
    """
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    while True:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        line = await (read or _line)()
        match line.strip().lower():
            case "y" | "yes":
                return True
            case "n" | "no":
                return False
            case "":
                return False if line else None
        sys.stderr.write("Answer y or n.\n")


async def _line() -> str:
    """Returns the line that was typed; an empty text where the input has ended."""
    typed, keyboard = asyncio.Event(), sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    loop.add_reader(keyboard, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(keyboard)
    return os.read(keyboard, _LONGEST_LINE).decode(errors="replace")
