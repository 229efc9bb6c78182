"""A zip as it is made: what goes in comes out compressed, and nothing is kept but the list of its files."""

import zipfile
from datetime import datetime
from typing import IO, cast


class _Outlet:
    """Where a zip is written to: not a file, so that it is written from front to back."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = b"".join(self._written)
        self._written.clear()
        return data


class Zip:
    """One file after the other; every method returns the bytes that are ready to be sent."""

    def __init__(self, made_at: datetime) -> None:
        self._outlet = _Outlet()
        # What unzips it later must not refuse it: a zip knows no time before 1980.
        self._made_at = max(made_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._outlet), "w")
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        self.end()
        about = zipfile.ZipInfo(name, self._made_at)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o644 << 16
        # Nobody knows yet how large it becomes.
        self._file = self._zip.open(about, "w", force_zip64=name.endswith(".ndjson"))

    def write(self, data: bytes) -> bytes:
        if self._file is None:
            raise ValueError("begin a file first")
        self._file.write(data)
        return self._outlet.take()

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> bytes:
        """The end of it: without these bytes it is no zip."""
        self.end()
        self._zip.close()
        return self._outlet.take()
