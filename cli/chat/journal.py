"""What a chat needs to go on after a crash: its session, and the message that has no answer yet.

Each chat has a file below PANDORA_DATA_DIR, which it holds locked. A file that no process holds is that of a
chat that crashed.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Final, Self
from uuid import uuid4

import msgspec

from shared.process.environment import DATA_DIR, given_settings

_FOLDER: Final = "chats"
_KEPT_SECONDS: Final = 20 * 3600.0
"""The gateway knows the key of a request for 24 hours. Sent later, it would be another turn."""


class Unanswered(msgspec.Struct, frozen=True):
    """A message, and the key that it was sent with: the same key again gets the same turn."""

    text: str
    key: str


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    whose: str
    session: str
    at: float
    unanswered: Unanswered | None = None


class Journal:
    def __init__(self, path: Path, file: int, noted: Noted) -> None:
        """`file` is open and locked."""
        self._path = path
        self._file = file
        self.noted = noted

    @classmethod
    def opened(cls, whose: str, session: str | None) -> Self:
        """Goes on with the latest chat of this user that crashed, unless a session is named."""
        folder = Path(given_settings().get("PANDORA_DATA_DIR", DATA_DIR)) / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        crashed = [] if session else sorted(_crashed(folder, whose), key=lambda one: one[2].at)
        for path, file, _ in crashed[:-1]:
            _remove(path, file)
        if crashed:
            return cls(*crashed[-1])
        path = folder / f"{uuid4()}.json"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(path, file, Noted(whose=whose, session=session or str(uuid4()), at=time()))

    def note(self, session: str, unanswered: Unanswered | None) -> None:
        """A crash in between leaves a whole first line: the old one or the new one."""
        self.noted = Noted(whose=self.noted.whose, session=session, at=time(), unanswered=unanswered)
        line = msgspec.json.encode(self.noted) + b"\n"
        os.pwrite(self._file, line, 0)
        os.ftruncate(self._file, len(line))

    def close(self) -> None:
        """Keeps the file where a message has no answer."""
        if self.noted.unanswered is None:
            _remove(self._path, self._file)
        else:
            os.close(self._file)


def whose_chats(url: str, key: str | None) -> str:
    """Tells users and gateways apart, without keeping the key."""
    return hashlib.sha256(f"{url} {key}".encode()).hexdigest()[:32]


def _crashed(folder: Path, whose: str) -> Iterator[tuple[Path, int, Noted]]:
    """Yields the user's files that no process holds, locked. Removes those that are too old."""
    for path in folder.glob("*.json"):
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            noted = msgspec.json.decode(path.read_bytes().partition(b"\n")[0], type=Noted)
        except BlockingIOError:  # That chat goes on.
            os.close(file)
        except msgspec.DecodeError:
            _remove(path, file)
        else:
            if time() - noted.at > _KEPT_SECONDS:
                _remove(path, file)
            elif noted.whose == whose:
                yield path, file, noted
            else:
                os.close(file)


def _remove(path: Path, file: int) -> None:
    path.unlink(missing_ok=True)
    os.close(file)
