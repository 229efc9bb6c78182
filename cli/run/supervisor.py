"""Starts the parts in their order, keeps them alive, and stops them in the reverse order."""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import psutil
from tenacity import RetryCallState, wait_fixed

from cli.run.processes import LOGGED, ProcessId, describe_end, kill_group
from cli.run.restarts import Deaths
from cli.run.room_watch import RoomWatch
from cli.run.run_folder import PartState, RunFolder, StackState
from cli.terminal.failure import CommandFailed
from deploy.local.order import SERVICES, START_ORDER, STOP_ORDER
from deploy.local.parts import NotReady, Part
from shared.process.retrying import Retry, error_of
from shared.process.room import Disk, may_pass

_POLL_SECONDS = 0.1
_PROGRESS_SECONDS = 5.0
_RARE_PROGRESS_SECONDS = 60.0
_PATIENCE_SECONDS = 10.0
"""For parts that have started, and wait for others. It begins again with each part that is ready."""
_LOST_LOOK_SECONDS = 2.0
_SHORT_PAUSE_SECONDS = 1.0
_TAIL_LINES = 20
_NOT_STARTED = "not started"
Say = Callable[[str], None]
OnReady = Callable[[dict[str, str]], Awaitable[None]]
"""Is told what each part waits for that is not ready yet."""


class LaunchError(CommandFailed):
    """The stack cannot run."""


class Supervisor:
    """Starts the stack, keeps it alive and stops it. `run` returns when every process is gone."""

    def __init__(
        self,
        parts: dict[str, Part],
        folder: RunFolder,
        state: StackState,
        say: Say,
        disk: Disk,
        *,
        startup_seconds: float,
        stop_seconds: float,
        restart_limit: int,
    ) -> None:
        self._parts = parts
        self._folder = folder
        self._state = state
        self._say = say
        self._startup_seconds = startup_seconds
        self._stop_seconds = stop_seconds
        self._restart_limit = restart_limit
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ready = {name: asyncio.Event() for name in parts}
        self._waits_for = dict.fromkeys(parts, _NOT_STARTED)
        self._started: set[str] = set()
        """The parts that only wait for others."""
        self._last_news = 0.0
        self._restarts = dict.fromkeys(parts, 0)
        self._room = RoomWatch(disk, say)
        self._is_saved = True

    async def run(self, stop: asyncio.Event, on_ready: OnReady) -> None:
        """Runs until `stop` is set. Raises LaunchError or SettingsError where the stack cannot run."""
        life = asyncio.create_task(self._live(on_ready))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            life.cancel()
            [outcome] = await asyncio.gather(life, return_exceptions=True)
            await self._stop_all()
        if isinstance(outcome, ExceptionGroup):
            raise outcome.exceptions[0]

    # --- starting ---

    async def _live(self, on_ready: OnReady) -> None:
        async with asyncio.TaskGroup() as group:
            progress = group.create_task(self._report_progress())
            group.create_task(self._room.run(self._save_what_is_left))
            try:
                async with asyncio.timeout(self._startup_seconds):
                    for names in START_ORDER:
                        present = [name for name in names if name in self._parts]
                        for name in present:
                            group.create_task(self._keep(self._parts[name], group))
                        await self._until_ready(present)
            except TimeoutError:
                if any(name not in SERVICES for name in self._unready()):
                    raise self._not_ready_in_time() from None
            await on_ready(self._unready())
            for event in self._ready.values():
                await event.wait()
            progress.cancel()

    async def _until_ready(self, names: Sequence[str]) -> None:
        """Returns also where those that are not ready have long waited for what is outside."""
        waiting = set(names)
        while waiting:
            if waiting <= self._started and time.monotonic() - self._last_news > _PATIENCE_SECONDS:
                return
            await asyncio.sleep(_POLL_SECONDS)
            waiting = {name for name in names if not self._ready[name].is_set()}

    async def _keep(self, part: Part, group: asyncio.TaskGroup) -> None:
        """Starts the part again each time it dies. Raises LaunchError where that does not help."""
        self._waits_for[part.name] = "starting"
        if not part.command:
            return await self._watch(part, time.monotonic())
        deaths = Deaths(limit=self._restart_limit)
        while True:
            log_start = self._log_size(part.name)
            process = await self._begin(part)
            born = time.monotonic()
            watch = group.create_task(self._watch(part, born))
            status = await self._until_ended(part, process)
            watch.cancel()
            kill_group(process.pid)
            if status == part.settings_status and not self._ready[part.name].is_set():
                raise LaunchError(self._last_word(part, log_start), status)
            now = time.monotonic()
            if not self._room.was_full_lately():
                deaths.note(now, now - born)
                self._give_up_after(deaths, now, part, status)
            delay = deaths.delay()
            self._waits_for[part.name] = f"ended with {describe_end(status)}"
            self._say(f"{part.name} ended with {describe_end(status)}; starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            self._restarts[part.name] += 1

    async def _begin(self, part: Part) -> asyncio.subprocess.Process:
        """Waits while the disk is full, or the machine is short of something else."""
        is_said = False
        while True:
            await self._room.until_room()
            try:
                if part.prepare is not None:
                    await part.prepare()
                return await self._spawn(part)
            except OSError as error:
                if not may_pass(error):
                    raise LaunchError(
                        f"{part.name} cannot be started: {error}. Run `make run` to install it anew."
                    ) from error
                self._waits_for[part.name] = f"cannot be started now: {error.strerror}"
                if not is_said:
                    self._say(f"{part.name} cannot be started now ({error}); trying again until it can")
                is_said = True
            await asyncio.sleep(_SHORT_PAUSE_SECONDS)

    async def _until_ended(self, part: Part, process: asyncio.subprocess.Process) -> int:
        """Returns its status. Ends a part that has given up, which only a new start mends."""
        if part.has_given_up is None:
            return await process.wait()
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOST_LOOK_SECONDS)
                if not ended.done() and not self._room.is_full() and await part.has_given_up():
                    self._say(f"{part.name} has closed its store, and is ended to open it again")
                    with contextlib.suppress(ProcessLookupError):
                        process.send_signal(part.stop_signal)
            return ended.result()
        finally:
            ended.cancel()

    async def _spawn(self, part: Part) -> asyncio.subprocess.Process:
        with self._folder.log_file(part.name).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *part.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=part.folder,
                env=os.environ | LOGGED | part.environment,
                start_new_session=True,
                user=part.user,
                group=part.user,
                extra_groups=[] if part.user else None,
            )
        self._processes[part.name] = process
        self._remember(part, process.pid)
        return process

    def _remember(self, part: Part, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, OSError):  # it died at once
            self._state.parts[part.name] = PartState(
                process=ProcessId.of(pid),
                started_at=datetime.now(UTC),
                stop_signal=part.stop_signal,
                restarts=self._restarts[part.name],
            )
        self.save_state()

    def save_state(self) -> None:
        """What the disk does not take now is written later."""
        try:
            self._folder.write_state(self._state)
            self._is_saved = True
        except OSError:
            self._is_saved = False

    def _save_what_is_left(self) -> None:
        if not self._is_saved:
            self.save_state()

    async def _watch(self, part: Part, born: float) -> None:
        """Waits until the part is ready, and says so."""

        def note(state: RetryCallState) -> None:
            error = error_of(state)
            self._waits_for[part.name] = str(error)
            if isinstance(error, NotReady) and error.has_started and part.name not in self._started:
                self._started.add(part.name)
                self._last_news = time.monotonic()

        await Retry(on=NotReady, wait=wait_fixed(_POLL_SECONDS), note=note)(part.probe)
        again = " again" if self._ready[part.name].is_set() else ""
        self._say(f"{part.name} is ready{again} ({time.monotonic() - born:.1f} s)")
        self._ready[part.name].set()
        self._last_news = time.monotonic()

    async def _report_progress(self) -> None:
        """More rarely once the panel has said it as well."""
        while True:
            seconds = _PROGRESS_SECONDS if self._state.ready_after_seconds is None else _RARE_PROGRESS_SECONDS
            await asyncio.sleep(seconds)
            if unready := self._unready():
                self._say(
                    f"waiting for {', '.join(f'{name} ({reason})' for name, reason in unready.items())}"
                )

    def _unready(self) -> dict[str, str]:
        """What each part waits for that was started and is not ready."""
        return {
            name: reason
            for name, reason in self._waits_for.items()
            if reason != _NOT_STARTED and not self._ready[name].is_set()
        }

    # --- giving up ---

    def _give_up_after(self, deaths: Deaths, now: float, part: Part, status: int) -> None:
        if deaths.too_many(now):
            raise LaunchError(
                f"{part.name} died {deaths.limit} times within {Deaths.WINDOW_SECONDS:g} s (RESTART_LIMIT), "
                f"last with {describe_end(status)}. Everything is stopped. Its last lines, "
                f"from {self._folder.log_file(part.name)}:",
                tail=self._folder.last_lines(part.name, _TAIL_LINES),
            )

    def _not_ready_in_time(self) -> LaunchError:
        (name, reason), *others = self._unready().items()
        message = (
            f"{name} is not ready after {self._startup_seconds:g} s ({reason})"
            + (f"; nor is {', '.join(other for other, _ in others)}" if others else "")
            + ". Everything is stopped. If it only needs longer, raise STARTUP_TIMEOUT_SECONDS."
        )
        if not self._parts[name].command:
            return LaunchError(message)
        return LaunchError(
            f"{message} Its last lines, from {self._folder.log_file(name)}:",
            tail=self._folder.last_lines(name, _TAIL_LINES),
        )

    def _log_size(self, name: str) -> int:
        file = self._folder.log_file(name)
        return file.stat().st_size if file.exists() else 0

    def _last_word(self, part: Part, log_start: int) -> str:
        lines = self._folder.last_lines(part.name, 1, since=log_start)
        return (
            lines[0] if lines else f"{part.name} refuses its settings; see {self._folder.log_file(part.name)}"
        )

    # --- stopping ---

    async def _stop_all(self) -> None:
        begin = asyncio.get_running_loop().time()
        for names, seconds in zip(STOP_ORDER, stop_deadlines(self._stop_seconds), strict=True):
            present = [name for name in names if name in self._processes]
            await asyncio.gather(*(self._stop(name, begin + seconds) for name in present))

    async def _stop(self, name: str, until: float) -> None:
        process = self._processes[name]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self._parts[name].stop_signal)
        try:
            async with asyncio.timeout_at(until):
                await process.wait()
        except TimeoutError:
            self._say(f"{name} did not stop in time and was killed")
            kill_group(process.pid)
            await process.wait()
        kill_group(process.pid)


def stop_deadlines(stop_seconds: float) -> list[float]:
    """When each group of STOP_ORDER must be gone, in seconds from the start of the stop.

    The services share 1.4 times STOP_TIMEOUT_SECONDS, so that a turn in hand has all of it; the stores get
    fixed times. With the default of 10 s the last one is at 19 s.
    """
    services = 1.4 * stop_seconds
    return [0.4 * services, 0.8 * services, services, services + 3.0, services + 5.0]
