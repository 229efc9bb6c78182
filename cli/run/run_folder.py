"""What a running launcher keeps in the data folder: its lock, the state of its processes, and their logs.

A launcher lives while its lock is held: the kernel frees the lock when the process ends, in whatever way.
`stack.json` names the processes that it started. Other commands look at them, and a later launcher ends those
of one that was killed.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from cli.client.installation import LOCK, STATE, holder_of
from cli.run.processes import ProcessId
from cli.terminal.failure import CommandFailed

_LOG_LIMIT_BYTES = 10 * 1024 * 1024


class AlreadyRunning(CommandFailed):
    """Another launcher holds the lock of this data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        number = f" (process {pid})" if pid else ""
        super().__init__(
            f"Pandora is already running in {folder}{number}. "
            "Look at it with `pandora status`, stop it with `pandora down`, "
            "or set PANDORA_DATA_DIR to run a second one in a folder of its own."
        )
        self.pid = pid


class PartState(msgspec.Struct, kw_only=True):
    """One process of the stack. `stop_signal` is the number by which it stops in good order."""

    process: ProcessId
    started_at: datetime
    stop_signal: int
    restarts: int = 0


class StackState(msgspec.Struct, kw_only=True):
    """`run/stack.json`. The parts are in the order of their start."""

    launcher: ProcessId
    started_at: datetime
    cluster: bool = False
    """Started by `pandora up --cluster`."""
    addresses: dict[str, str] = {}
    """The settings that say where the parts listen, by name."""
    parts: dict[str, PartState] = {}
    ready_after_seconds: float | None = None
    unready: dict[str, str] = {}
    """What each part waited for that was not ready then."""


class RunFolder:
    """The paths below PANDORA_DATA_DIR that belong to the launcher."""

    def __init__(self, data_dir: Path) -> None:
        self.data = data_dir.absolute()
        self.logs = self.data / "logs"
        self._lock = self.data / LOCK
        self._state = self.data / STATE

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock while the block runs. Raises AlreadyRunning where another launcher has it."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        descriptor = self._take_lock()
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            self._lock.unlink(missing_ok=True)
            os.close(descriptor)

    def _take_lock(self) -> int:
        while True:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise AlreadyRunning(self.data, self.holder()) from None
            # Its last owner may have removed the file between the two steps. Then this lock guards nothing.
            if self._lock.exists() and os.path.samestat(os.fstat(descriptor), self._lock.stat()):
                return descriptor
            os.close(descriptor)

    def holder(self) -> int | None:
        """Returns the process id of the launcher that holds the lock, or None."""
        return holder_of(self._lock)

    def read_state(self) -> StackState | None:
        """Returns the state as last written; its processes may be gone. None where it cannot be read."""
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=StackState)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write_state(self, state: StackState) -> None:
        draft = self._state.with_suffix(".new")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        draft.replace(self._state)

    def forget_state(self) -> None:
        self._state.unlink(missing_ok=True)

    # --- logs ---

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def rotate_logs(self) -> None:
        """Moves each log that has grown large to `<name>.log.1`; called while nothing writes to them."""
        for file in self.logs.glob("*.log"):
            if file.stat().st_size > _LOG_LIMIT_BYTES:
                file.replace(file.with_suffix(".log.1"))

    def last_lines(self, name: str, count: int, *, since: int = 0) -> list[str]:
        """The last non-empty lines of a log, from the byte `since` on."""
        try:
            with self.log_file(name).open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(since, end - 64 * 1024))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]
