"""Files by what they hold."""

from collections.abc import Iterator
from pathlib import Path

from shared.process.files import files_below


def files_with(folder: Path, content: bytes) -> Iterator[Path]:
    """Those that hold these bytes, upper and lower case alike."""
    for path in files_below(folder):
        try:
            held = path.read_bytes()
        except OSError:  # It went, or it is no regular file, as a socket.
            continue
        if content.lower() in held.lower():
            yield path
