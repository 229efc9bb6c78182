"""Ports for the servers of tests: no two tests of a session get the same one soon."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count


def free_ports(wanted: int) -> list[int]:
    """Returns free ports. No other test gets one of them soon, also while its server restarts."""
    found: list[int] = []
    while len(found) < wanted:
        port = next(_CANDIDATES)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


def free_ports_in_a_row(wanted: int) -> int:
    """Returns the first of so many free ports in a row."""
    while True:
        (first,) = free_ports(1)
        with ExitStack() as held, suppress(OSError, OverflowError):
            for port in range(first, first + wanted):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            for _ in range(wanted - 1):
                next(_CANDIDATES)
            return first


def _own_ports() -> Iterator[int]:
    """Below those that systems lend to outgoing connections, and of each worker of pytest others."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 12_000 + worker % 4 * 5_000
    begin = secrets.randbelow(5_000)  # Where another session's tests are hardly just now.
    return (first + place % 5_000 for place in count(begin))


_CANDIDATES = _own_ports()
"""None comes twice soon: it may not be listened on yet."""
