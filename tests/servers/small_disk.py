"""A file system of its own with a size, for tests of what a full disk does."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

_AT_ONCE = 1 << 22


class SmallDisk:
    """A folder that is a file system. `fill` takes its room, `make_room` gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def fill(self, *, leave: int = 0) -> None:
        with self._filler.open("ab", buffering=0) as file:
            while (more := self.free_bytes - leave) > 0:
                file.write(b"x" * min(more, _AT_ONCE))

    def make_room(self) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(mebibytes: int) -> Iterator[SmallDisk]:
    """Skips the test where no file system can be mounted: only root may, and not in every container."""
    folder = mkdtemp(prefix="pandora-disk-")
    options = f"size={mebibytes}m,mode=755"
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        Path(folder).rmdir()
        pytest.skip(f"no file system of a size can be mounted here: {error}")
    try:
        yield SmallDisk(Path(folder))
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        Path(folder).rmdir()
