"""Where a turn's documents are: `turns/000/turn_000742/`, or a zip below `turns/archive/` once they are old.

Earlier versions wrote `turns/turn_000742/`. Such a folder stays there until it is archived.
"""

import contextlib
import fcntl
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from services.orchestrator.documents.rendering import METADATA
from services.orchestrator.documents.turn_pointers import TurnPointers
from services.orchestrator.documents.zips import number_of
from services.orchestrator.turn.state import turn_dir

WRITING, PACKING, REMOVING = ".writing-", ".packing-", ".removing-"
"""Prefixes of unfinished work. The turn's id and a dot follow, so that forgetting a turn finds its
leftovers."""
LEFT_OVER_SECONDS = 3600.0
"""A write takes milliseconds; after this time no process works on it any more."""
_TURN_DIR = re.compile(r"turn_(\d{6,})")
_THOUSANDS = re.compile(r"\d{3,}")


class TurnPaths:
    """The folders and zips of turns on one disk, which several processes share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder / "archive"
        self.pointers = TurnPointers(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def places(self, name: str) -> list[Path]:
        """Where the open turn `turn_000742` may be: the present place, and that of earlier versions."""
        return [self.folder / turn_dir(int(name.removeprefix("turn_"))), self.folder / name]

    def folders(self) -> Iterator[tuple[int, Path]]:
        for thousands in (self.folder, *self._thousands()):
            yield from _turns_in(thousands)

    def highest_open(self) -> int:
        """The highest number of an open turn, found without a look at all of them."""
        for thousands in sorted(self._thousands(), key=lambda path: int(path.name), reverse=True):
            if numbers := [number for number, _ in _turns_in(thousands)]:
                break
        else:
            numbers = []
        return max((*numbers, *(number for number, _ in _turns_in(self.folder))), default=0)

    def _thousands(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if _THOUSANDS.fullmatch(path.name)]

    def zips(self) -> Iterator[tuple[int, Path]]:
        for path in self.archive.glob("*/turn_*.zip"):
            if (number := number_of(path)) is not None:
                yield number, path

    def hidden(self) -> Iterator[tuple[int, Path]]:
        """Folders whose removal was interrupted. Their number is given as 0."""
        for path in self.folder.glob(f"{REMOVING}*"):
            yield 0, path

    def set_aside(self, folder: Path, turn_id: str) -> Path | None:
        """Hides the folder from all readers in one step. Returns its new path; None where it did not
        exist."""
        aside = Path(mkdtemp(prefix=f"{REMOVING}{turn_id}.", dir=self.folder))
        try:
            return folder.replace(aside)
        except FileNotFoundError:
            aside.rmdir()
            return None

    @contextlib.contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """A lock over all processes: a turn cannot be archived while it is being forgotten."""
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def leftovers(self, turn_id: str) -> list[Path]:
        """Unfinished work on the turn, of processes that died."""
        kinds = (WRITING, PACKING, REMOVING)
        return [path for kind in kinds for path in self.folder.glob(f"{kind}{turn_id}.*")]

    def remove_old_leftovers(self) -> None:
        """Keeps those of the last hour: a process may be working on them."""
        for kind in (WRITING, PACKING, REMOVING):
            for leftover in self.folder.glob(f"{kind}*"):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - leftover.stat().st_mtime > LEFT_OVER_SECONDS:
                        delete(leftover)


def _turns_in(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        if match := _TURN_DIR.fullmatch(path.name):
            yield int(match.group(1)), path


def delete(path: Path) -> None:
    """Deletes a file or a folder, or raises OSError. The metadata goes last, since it names the user."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir():
            for inner in path.iterdir():
                if inner.is_file() and inner.name != METADATA:
                    inner.unlink()
            shutil.rmtree(path)
        else:
            path.unlink()
