"""`pandora up --detach` and `pandora down`: the launcher as a process of its own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

from cli.run.launcher import end_leftovers, open_folder
from cli.run.panel import ready_panel
from cli.run.processes import LOGGED
from cli.run.run_folder import AlreadyRunning, RunFolder, StackState
from cli.run.supervisor import LaunchError, stop_deadlines
from cli.terminal.output import console, print_text
from deploy.local.settings import StackSettings

_POLL_SECONDS = 0.1


def launch_in_background(settings: StackSettings) -> None:
    """Starts the launcher, and shows the panel when all is ready. Raises AlreadyRunning and LaunchError."""
    folder = open_folder(settings)
    if folder.holder() is not None:
        raise AlreadyRunning(folder.data, folder.holder())
    state = start_in_background(folder, *(["--cluster"] if settings.cluster else []))
    console.print(asyncio.run(ready_panel(settings, folder, state, how_to_stop="`pandora down`")))


def start_in_background(folder: RunFolder, *options: str) -> StackState:
    """Starts a launcher that outlives this terminal. Returns its state when it was ready.

    `options` are options of `pandora up`. Raises LaunchError.
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
            env=os.environ | LOGGED,
        )
    while launcher.poll() is None:
        state = folder.read_state()
        if state and state.launcher.pid == launcher.pid and state.ready_after_seconds is not None:
            return state
        time.sleep(_POLL_SECONDS)
    lines = folder.last_lines("launcher", 40, since=begin)
    raise LaunchError(f"Pandora did not start. Its last lines, from {log}:", launcher.returncode or 1, lines)


def stop(folder: RunFolder, stop_seconds: float) -> None:
    """Stops the launcher of this folder, or the parts of a killed one. Raises LaunchError if it stays."""
    pid = folder.holder()
    if pid is None:
        _end_leftovers(folder)
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
    print_text("Pandora has stopped.")


def _end_leftovers(folder: RunFolder) -> None:
    if folder.read_state() is None:
        print_text(f"Pandora is not running in {folder.data}.")
        return
    with contextlib.suppress(AlreadyRunning), folder.locked():
        end_leftovers(folder, print_text)
