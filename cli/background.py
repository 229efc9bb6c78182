"""`pandora up --detach` and `pandora down`: the launcher as a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from cli.launcher import end_leftovers
from cli.run_folder import AlreadyRunning, RunFolder
from cli.supervisor import LaunchError, Say, stop_deadlines

_POLL_SECONDS = 0.1


def start_in_background(folder: RunFolder, *options: str) -> float:
    """Starts a launcher that outlives this terminal; returns its seconds until ready. Raises LaunchError.

    `options` are those of `pandora up` that the launcher is started with.
    """
    folder.logs.mkdir(exist_ok=True)
    log = folder.log_file("launcher")
    begin = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        launcher = subprocess.Popen(  # noqa: S603  # this program and its own options
            [sys.executable, "-m", "cli.main", "up", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while launcher.poll() is None:
        state = folder.read_state()
        if state and state.launcher.pid == launcher.pid and state.ready_after_seconds is not None:
            return state.ready_after_seconds
        time.sleep(_POLL_SECONDS)
    lines = folder.last_lines("launcher", 40, since=begin)
    raise LaunchError(f"Pandora did not start. What it said, from {log}:", launcher.returncode or 1, lines)


def stop(folder: RunFolder, stop_seconds: float, tell: Say) -> None:
    """Stops the launcher of this data folder, or what a killed one left. Raises LaunchError if it stays."""
    pid = folder.holder()
    if pid is None:
        _end_leftovers(folder, tell)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + stop_deadlines(stop_seconds)[-1] + 5.0
    while folder.holder() == pid:
        if time.monotonic() > deadline:
            raise LaunchError(
                f"The launcher (process {pid}) still runs. See {folder.log_file('launcher')}; "
                f"`kill -9 {pid}` and a second `pandora down` end it by force."
            )
        time.sleep(_POLL_SECONDS)
    tell("Pandora has stopped.")


def _end_leftovers(folder: RunFolder, tell: Say) -> None:
    if folder.read_state() is None:
        tell(f"Pandora is not running in {folder.data}.")
        return
    with contextlib.suppress(AlreadyRunning), folder.locked():
        end_leftovers(folder, tell)
