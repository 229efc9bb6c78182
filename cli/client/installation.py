"""The installation that runs in the data folder, as its launcher wrote it down."""

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec

from shared.process.environment import DATA_DIR, given_settings

LOCK: Final = Path("run", "lock")
STATE: Final = Path("run", "stack.json")
"""Both below PANDORA_DATA_DIR."""


class Addresses(msgspec.Struct):
    """What this room reads of `run/stack.json`; `cli/run/run_folder.py` has all of it."""

    addresses: dict[str, str] = {}
    """The settings that say where the parts listen, by name."""


def adopt_addresses() -> None:
    """Takes the ports that the running installation was started with, where no setting says otherwise.

    They may have been given to `pandora up` alone. Raises SettingsError where `.env` cannot be read.
    """
    given = given_settings()
    data = Path(given.get("PANDORA_DATA_DIR", DATA_DIR))
    if holder_of(data / LOCK) is None:
        return
    try:
        running = msgspec.json.decode((data / STATE).read_bytes(), type=Addresses)
    except (OSError, msgspec.DecodeError):
        return
    os.environ.update({name: value for name, value in running.addresses.items() if name not in given})


def holder_of(lock: Path) -> int | None:
    """Returns the process id of the launcher that holds the lock, or None."""
    try:
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
            return None
    except OSError:
        return None
