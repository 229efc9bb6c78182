"""`pandora up`: checks everything that can be wrong first, then runs the stack until it is told to stop."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

from cli.panel import ready_panel
from cli.ports import check_ports
from cli.processes import ProcessId, end
from cli.run_folder import RunFolder, StackState
from cli.supervisor import LaunchError, Supervisor
from deploy.local.nats import refuse_the_other_store
from deploy.local.settings import StackSettings
from deploy.local.stack import declare_parts
from shared.errors import SettingsError

_LEFTOVER_SECONDS = 6.0


def launch(settings: StackSettings, console: Console) -> int:
    """Runs the stack in the foreground; returns the exit status. Raises SettingsError and AlreadyRunning."""
    parts = declare_parts(settings)
    folder = open_folder(settings)
    refuse_the_other_store(settings)
    with folder.locked():
        end_leftovers(folder, lambda line: say(console, line))
        check_ports(parts.values())
        folder.rotate_logs()
        born = ProcessId.of(os.getpid())
        state = StackState(
            launcher=born,
            started_at=datetime.fromtimestamp(born.created, UTC),
            cluster=settings.cluster,
        )
        supervisor = Supervisor(
            parts,
            folder,
            state,
            lambda line: say(console, line),
            startup_seconds=settings.local.startup_timeout_seconds,
            stop_seconds=settings.local.stop_timeout_seconds,
        )
        try:
            return asyncio.run(_supervise(supervisor, settings, folder, state, console))
        finally:
            folder.forget_state()


def open_folder(settings: StackSettings) -> RunFolder:
    """Raises SettingsError where PANDORA_DATA_DIR cannot be written."""
    folder = RunFolder(settings.local.pandora_data_dir)
    try:
        folder.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    else:
        if os.access(folder.data, os.W_OK | os.X_OK):
            return folder
        reason = "it cannot be written"
    raise SettingsError(
        f"PANDORA_DATA_DIR={str(settings.local.pandora_data_dir)!r}: {reason}. "
        "Set it to a folder that can be written."
    )


async def _supervise(
    supervisor: Supervisor, settings: StackSettings, folder: RunFolder, state: StackState, console: Console
) -> int:
    stop = asyncio.Event()
    _stop_on_signals(stop, console)

    async def on_ready() -> None:
        state.ready_after_seconds = time.time() - state.launcher.created
        folder.write_state(state)
        panel = await ready_panel(
            settings, folder, state.ready_after_seconds, how_to_stop="Ctrl-C or `pandora down`"
        )
        with contextlib.suppress(OSError):
            console.print(panel)

    try:
        await supervisor.run(stop, on_ready)
    except LaunchError as error:
        say(console, str(error))
        for line in error.tail:
            say(console, f"  {line}", with_time=False)
        return error.status
    except SettingsError as error:
        say(console, str(error))
        return 2
    say(console, "stopped")
    return 0


def _stop_on_signals(stop: asyncio.Event, console: Console) -> None:
    """The first signal begins the stop; later ones change nothing."""

    def on_signal() -> None:
        say(console, "stopping, as before; please wait" if stop.is_set() else "stopping")
        stop.set()

    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to stay
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)


def end_leftovers(folder: RunFolder, tell: Callable[[str], None]) -> None:
    """Ends what a killed launcher left running, the last started first. The caller holds the lock."""
    state = folder.read_state()
    if state is None:
        return
    for name, part in reversed(state.parts.items()):
        if end(part.process, part.stop_signal, _LEFTOVER_SECONDS):
            tell(f"{name} was left running by a launcher that was killed; ended it")
    folder.forget_state()


def say(console: Console, line: str, *, with_time: bool = True) -> None:
    """One line for people. The terminal may be gone; that is no reason to leave processes behind."""
    clock = f"{datetime.now().astimezone():%H:%M:%S}  " if with_time else ""
    with contextlib.suppress(OSError):
        console.print(clock + line, markup=False, highlight=False, soft_wrap=True)
