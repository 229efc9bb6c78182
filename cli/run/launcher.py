"""`pandora up`: checks the settings, the folder and the ports first, then runs the stack until a signal."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cli.run.panel import ready_panel
from cli.run.ports import check_ports
from cli.run.processes import ProcessId, end
from cli.run.room import check_room
from cli.run.run_folder import RunFolder, StackState
from cli.run.supervisor import LaunchError, Supervisor
from cli.terminal.output import console
from deploy.local.nats import refuse_the_other_store
from deploy.local.settings import StackSettings, addresses_of
from deploy.local.stack import declare_parts
from shared.process.environment import SettingsError

_LEFTOVER_SECONDS = 6.0


def launch(settings: StackSettings) -> int:
    """Runs the stack in the foreground. Returns the exit status. Raises SettingsError and AlreadyRunning."""
    parts = declare_parts(settings)
    folder = open_folder(settings)
    check_room(settings)
    refuse_the_other_store(settings)
    with folder.locked():
        end_leftovers(folder, say)
        check_ports(parts.values())
        folder.rotate_logs()
        born = ProcessId.of(os.getpid())
        state = StackState(
            launcher=born,
            started_at=datetime.fromtimestamp(born.created, UTC),
            cluster=settings.cluster,
            addresses=addresses_of(settings),
        )
        supervisor = Supervisor(
            parts,
            folder,
            state,
            say,
            settings.local.disk,
            startup_seconds=settings.local.startup_timeout_seconds,
            stop_seconds=settings.local.stop_timeout_seconds,
            restart_limit=settings.local.restart_limit,
        )
        try:
            return asyncio.run(_supervise(supervisor, settings, folder, state))
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
    supervisor: Supervisor, settings: StackSettings, folder: RunFolder, state: StackState
) -> int:
    stop = asyncio.Event()
    _stop_on_signals(stop)

    async def on_ready(unready: dict[str, str]) -> None:
        state.ready_after_seconds, state.unready = time.time() - state.launcher.created, unready
        supervisor.save_state()
        panel = await ready_panel(settings, folder, state, how_to_stop="Ctrl-C or `pandora down`")
        with contextlib.suppress(OSError):
            console.print(panel)

    try:
        await supervisor.run(stop, on_ready)
    except LaunchError as error:
        say(str(error))
        for line in error.tail:
            say(f"  {line}", with_time=False)
        return error.exit_status
    except SettingsError as error:
        say(str(error))
        return 2
    say("stopped")
    return 0


def _stop_on_signals(stop: asyncio.Event) -> None:
    """The first signal begins the stop; later ones change nothing."""

    def on_signal() -> None:
        say("stopping, as before; please wait" if stop.is_set() else "stopping")
        stop.set()

    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to stay
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)


def end_leftovers(folder: RunFolder, tell: Callable[[str], None]) -> None:
    """Ends the parts of a launcher that was killed, the last started first. The caller holds the lock."""
    state = folder.read_state()
    if state is None:
        return
    for name, part in reversed(state.parts.items()):
        if end(part.process, part.stop_signal, _LEFTOVER_SECONDS):
            tell(f"{name} was left running by a launcher that was killed; ended it")
    folder.forget_state()


def say(line: str, *, with_time: bool = True) -> None:
    """Prints one line. The terminal may be gone; the launcher goes on, and stops its processes."""
    clock = f"{datetime.now().astimezone():%H:%M:%S}  " if with_time else ""
    with contextlib.suppress(OSError):
        console.print(clock + line, soft_wrap=True)
