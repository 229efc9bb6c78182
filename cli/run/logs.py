"""`pandora logs`: the last lines of the logs, and what is added to them."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from cli.run.run_folder import RunFolder
from cli.terminal.output import print_text
from deploy.local.settings import LocalSettings
from shared.process.environment import SettingsError
from shared.process.settings import load

_POLL_SECONDS = 0.2
Write = Callable[[str, str], None]
"""Takes the name of the part and a line."""


class Reader(msgspec.Struct):
    """Reads what is added to a file. A file that was rotated is read from its beginning."""

    name: str
    file: Path
    position: int = 0
    inode: int = 0
    rest: str = ""

    def new_lines(self) -> Iterator[str]:
        try:
            with self.file.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self.inode or status.st_size < self.position:
                    self.inode, self.position, self.rest = status.st_ino, 0, ""
                file.seek(self.position)
                added = file.read()
        except FileNotFoundError:
            return
        self.position += len(added)
        *lines, self.rest = (self.rest + added.decode(errors="replace")).split("\n")
        yield from lines


def print_logs(wanted: Sequence[str], known: Sequence[str], lines: int, *, keep_on: bool) -> None:
    """Prints the last lines of the wanted logs, or of all. Raises SettingsError where there are none."""
    if unknown := next((name for name in wanted if name not in known), None):
        raise SettingsError(f"There is no log of {unknown!r}. There are: {', '.join(known)}.")
    folder = RunFolder(load(LocalSettings).pandora_data_dir)
    names = wanted or [name for name in known if folder.log_file(name).exists()]
    if not names or not folder.logs.exists():
        raise SettingsError(f"There are no logs in {folder.logs}. Start Pandora with `pandora up`.")
    width = max(map(len, names))

    def write(name: str, line: str) -> None:
        print_text(line if wanted else f"{name:<{width}} | {line}")

    show_logs(folder, names, lines, write)
    if keep_on:
        with suppress(KeyboardInterrupt):
            follow_logs(folder, names, write)


def show_logs(folder: RunFolder, names: Sequence[str], count: int, write: Write) -> None:
    for name in names:
        for line in folder.last_lines(name, count):
            write(name, line)


def follow_logs(folder: RunFolder, names: Sequence[str], write: Write) -> None:
    """Shows each added line; goes on until it is interrupted."""
    readers = []
    for name in names:
        file = folder.log_file(name)
        status = file.stat() if file.exists() else None
        readers.append(Reader(name, file, status.st_size if status else 0, status.st_ino if status else 0))
    while True:
        for reader in readers:
            for line in reader.new_lines():
                write(reader.name, line)
        time.sleep(_POLL_SECONDS)
