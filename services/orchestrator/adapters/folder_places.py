"""Where a turn's documents are: `turns/turn_000742/`, or a zip below `turns/archive/` once they are old.

`turns/by_id/<turn_id>` names the place.
"""

import contextlib
import fcntl
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from services.orchestrator.adapters.archived import number_of
from services.orchestrator.domain.documents import METADATA

WRITING, PACKING, REMOVING = ".writing-", ".packing-", ".removing-"
"""Behind it the turn's id and a dot, so that whoever forgets the turn finds what was left."""
LEFT_OVER_SECONDS = 3600.0
"""A write takes milliseconds."""
_TURN_DIR = re.compile(r"turn_(\d{6,})")


class Places:
    """Turn folders and archived turns on one disk, shared by several processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.by_id = folder / "by_id"
        self.archive = folder / "archive"
        self.by_id.mkdir(parents=True, exist_ok=True)

    def place_of(self, turn_id: str) -> Path | None:
        """What its pointer says; there need not be anything."""
        try:
            return self.folder / (self.by_id / turn_id).read_text()
        except FileNotFoundError:
            return None

    def folders(self) -> Iterator[tuple[int, Path]]:
        for path in self.folder.iterdir():
            if match := _TURN_DIR.fullmatch(path.name):
                yield int(match.group(1)), path

    def zips(self) -> Iterator[tuple[int, Path]]:
        for path in self.archive.glob("*/turn_*.zip"):
            if (number := number_of(path)) is not None:
                yield number, path

    def hidden(self) -> Iterator[tuple[int, Path]]:
        """Those whose removal broke off."""
        for path in self.folder.glob(f"{REMOVING}*"):
            yield 0, path

    def set_aside(self, folder: Path, turn_id: str) -> Path | None:
        """Out of every reader's sight in one step; None where it is not there."""
        aside = Path(mkdtemp(prefix=f"{REMOVING}{turn_id}.", dir=self.folder))
        try:
            return folder.replace(aside)
        except FileNotFoundError:
            aside.rmdir()
            return None

    @contextlib.contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Over all processes: what is being forgotten is not archived meanwhile."""
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def leftovers(self, turn_id: str) -> list[Path]:
        """What processes left of it that died."""
        kinds = (WRITING, PACKING, REMOVING)
        return [path for kind in kinds for path in self.folder.glob(f"{kind}{turn_id}.*")]

    def remove_old_leftovers(self) -> None:
        """Those of the last hour may be somebody's work right now."""
        for kind in (WRITING, PACKING, REMOVING):
            for leftover in self.folder.glob(f"{kind}*"):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - leftover.stat().st_mtime > LEFT_OVER_SECONDS:
                        delete(leftover)


def delete(path: Path) -> None:
    """All of it, or an error that says why not. What says whose it is goes last."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir():
            for inner in path.iterdir():
                if inner.is_file() and inner.name != METADATA:
                    inner.unlink()
            shutil.rmtree(path)
        else:
            path.unlink()
