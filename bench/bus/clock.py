"""Processor time of this process for each message."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """`microseconds` a message, of the block that `of` measured."""

    def __init__(self) -> None:
        self.microseconds = 0.0

    @contextmanager
    def of(self, messages: int) -> Iterator[None]:
        gc.collect()
        begun = time.process_time()
        yield
        self.microseconds = 1e6 * (time.process_time() - begun) / messages
