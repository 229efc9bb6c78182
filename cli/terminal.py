"""What the terminal is told, and what is read from it."""

import asyncio
import os
import sys
import termios

_LONGEST_LINE = 4096


def harmless(text: str) -> str:
    """Somebody else wrote it: no control character may speak to the terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def somebody_is_there() -> bool:
    """To read a question, and to answer it."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


async def confirmed(question: str) -> bool | None:
    """Asks until it is a yes or a no, which an empty line is as well; None where the input has ended.

    What was typed before the question is no answer to it. Waits in the event loop: Ctrl-C would not reach a
    program that stands in `input`.
    """
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    while True:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        line = await _line()
        match line.strip().lower():
            case "y" | "yes":
                return True
            case "n" | "no":
                return False
            case "":
                return False if line else None
        sys.stderr.write("Answer y or n.\n")


async def _line() -> str:
    """Of what was typed; empty where the input has ended."""
    typed, keyboard = asyncio.Event(), sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    loop.add_reader(keyboard, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(keyboard)
    return os.read(keyboard, _LONGEST_LINE).decode(errors="replace")
