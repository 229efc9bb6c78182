"""Finds the conversations in a .zip, also in zips in it, as OpenAI's privacy portal packs them."""

import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Final

_CONVERSATIONS = re.compile(r"(?:.*/)?conversations(?:[-_]\d+)?\.json", re.IGNORECASE)
_ZIP = re.compile(r".*\.zip", re.IGNORECASE)
_DEEPEST: Final = 3
"""Zips in zips. The privacy portal needs two."""
MOST_BYTES: Final = 16 * 1024**3
"""Of all that is read of one .zip when it is unpacked: a small file may claim any size."""


class BadArchive(Exception):
    """The message says why, and what to do."""


class Archive:
    """The conversations of a .zip, one file after the other."""

    def __init__(self, file: IO[bytes], most_bytes: int = MOST_BYTES) -> None:
        self._file = file
        self._room = most_bytes
        self.size = 0
        """Bytes of the files that were found so far."""

    def files(self) -> Iterator[IO[bytes]]:
        """Yields each, open. Raises BadArchive."""
        try:
            yield from self._files_in(self._file, 1)
        except (
            zipfile.BadZipFile,
            NotImplementedError,  # zipfile's word for a compression that it does not know
            RuntimeError,  # and for a file that needs a password
            EOFError,
            zipfile.LargeZipFile,
        ) as error:
            raise BadArchive(
                f"The .zip cannot be read ({error}). Unpack it yourself, and import the file in it."
            ) from error

    def _files_in(self, file: IO[bytes], depth: int) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(file) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.filename)
            found = [info for info in infos if _CONVERSATIONS.fullmatch(info.filename)]
            inner = [info for info in infos if _ZIP.fullmatch(info.filename)]
            for info in [*found, *inner]:
                self._claim(info)
            self.size += sum(info.file_size for info in found)
            for info in found:
                with archive.open(info) as opened:
                    yield opened
            for info in inner:
                with self._unpacked(archive, info, depth) as opened:
                    yield from self._files_in(opened, depth + 1)

    @contextmanager
    def _unpacked(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, depth: int) -> Iterator[IO[bytes]]:
        if depth == _DEEPEST:
            raise BadArchive(f"{info.filename} lies in {depth} zips. Unpack them, and import that one.")
        with TemporaryFile() as copy:
            with archive.open(info) as packed:
                shutil.copyfileobj(packed, copy, 1024 * 1024)
            copy.seek(0)
            yield copy

    def _claim(self, info: zipfile.ZipInfo) -> None:
        """zipfile gives no more bytes than a file claims to have."""
        self._room -= info.file_size
        if self._room < 0:
            raise BadArchive(
                f"The .zip unpacks to more than {MOST_BYTES // 1024**3} GiB ({info.filename} has "
                f"{info.file_size:,} bytes). If that is right, unpack it and import each conversations.json."
            )
