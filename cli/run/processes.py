"""Processes by number and time of birth: a process that got a used number is never ended."""

import contextlib
import os
import signal
import time
from typing import Final, cast

import msgspec
import psutil

LOGGED: Final = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
"""For a process that writes to a log: each line at once, in UTF-8 whatever the terminal has."""
_CLOCK_SLACK_SECONDS = 2.0
"""The time of birth is counted from the boot time. That changes a little when the clock is set."""


class ProcessId(msgspec.Struct, frozen=True):
    pid: int
    created: float
    """Seconds since 1970."""

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Raises psutil.NoSuchProcess where the process is gone."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Returns the living process. None: it has ended, or another process has its number now."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.created) < _CLOCK_SLACK_SECONDS
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def memory_bytes(process: psutil.Process) -> int:
    """Returns the memory of a process and its children. What they share is counted once."""
    shared, own = 0, 0
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = member.memory_info()
            in_common = cast(int, getattr(memory, "shared", 0))
            shared, own = max(shared, in_common), own + memory.rss - in_common
    return shared + own


def end(target: ProcessId, stop_signal: int, seconds: float) -> bool:
    """Ends a process that is not our child, by force after `seconds`. Returns whether it was alive."""
    process = target.find()
    if process is None:
        return False
    for number in (stop_signal, signal.SIGKILL):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if _is_gone(target, seconds):
            break
    kill_group(target.pid)
    return True


def _is_gone(target: ProcessId, within_seconds: float) -> bool:
    """A zombie counts as gone: in a container its parent may never collect it."""
    deadline = time.monotonic() + within_seconds
    while target.find() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill_group(leader: int) -> None:
    """Kills what is left of a process group. Each part leads one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def describe_end(status: int) -> str:
    """Returns `status 1` or `signal SIGKILL` for a return code of asyncio."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
