"""Processes of tests, held for a while."""

import os
import signal
import time
from pathlib import Path


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
