"""Work in a thread that a stop of the process does not wait for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

R = TypeVar("R")


async def in_daemon_thread(
    work: Callable[[], R], *, name: str, on_end: Callable[[], None] = lambda: None
) -> R:
    """Like `asyncio.to_thread`, for work that may hang: a thread cannot be stopped, but it can be left.

    `on_end` is called in the event loop when the thread has ended, also where nothing waits for it any more.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()

    def end(settle: Callable[[], None]) -> None:
        on_end()
        if not done.done():
            settle()

    def run() -> None:
        try:
            settle = partial(done.set_result, work())
        except BaseException as error:  # Also SystemExit: the caller must not wait for ever.
            settle = partial(done.set_exception, error)
        with contextlib.suppress(RuntimeError):  # The loop has ended in the meantime.
            loop.call_soon_threadsafe(end, settle)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
