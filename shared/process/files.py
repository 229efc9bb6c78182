"""Reading a folder while others write in it."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """All files at any depth. What goes meanwhile is left out, where `Path.rglob` would raise."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)
