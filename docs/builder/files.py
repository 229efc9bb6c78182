"""The files that are made from the code, and what belongs into them."""

from collections.abc import Iterator
from pathlib import Path

from docs.builder import abilities, asyncapi
from docs.builder.page import page

FOLDER = Path(__file__).parents[1]


def files() -> Iterator[tuple[Path, str]]:
    """(path, text) of each."""
    yield FOLDER / "events.md", page()
    yield FOLDER / "asyncapi.json", asyncapi.text()
    yield FOLDER / "abilities.md", abilities.page()
