"""Puts small files where they belong. Their folders are nearly always there, so they are not looked for."""

import os
from collections.abc import Callable
from pathlib import Path

Place = str | Path


def move(source: Place, target: Place) -> None:
    """Over a file that is there. The folder of `target` is made where it is missing."""
    _in_its_folder(Path(source).replace, target)


def touch(path: Place) -> None:
    """Makes an empty file, and its folder where it is missing."""
    _in_its_folder(_create, path)


def _in_its_folder(make: Callable[[Place], object], path: Place) -> None:
    try:
        make(path)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        make(path)


def _create(path: Place) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
