"""Decodes TOML into structs, with errors that name file, line and field."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from services.orchestrator.recipes.recipe import ORDER, PHASES, ROLES
from shared.process.environment import SettingsError

T = TypeVar("T")
_PATH = re.compile(r" - at (?:`key` in )?`\$(.*)`$")
_STEP = re.compile(r"\.(\w+)|\[(\.\.\.)\]")
"""Without indexes of lists: a list counts from the line where it begins."""
_ANY = "..."


def decode_toml(path: Path, text: str, kind: type[T]) -> T:
    """`path` is only for the error. Raises SettingsError."""
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except tomllib.TOMLDecodeError as error:  # Its message names the line.
        raise SettingsError(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        found = _PATH.search(str(error))
        field = found.group(1) if found else ""
        what = str(error)[: found.start()] if found else str(error)
        if what.startswith("Invalid enum value"):
            what += f"; there are: {', '.join(_names_at(field))}"
        unknown = re.search(r"unknown field `(\w+)`", what)
        line = line_of(text, f"{field}.{unknown.group(1)}" if unknown else field)
        raise SettingsError(f"{path}, line {line}: {field.lstrip('.') or 'the file'}: {what}") from error


def line_of(text: str, field: str) -> int:
    """The line of a field such as `.bounds.rounds` or `.phases[1]`; otherwise the nearest line above it."""
    keys = [name or any_ for name, any_ in _STEP.findall(field)]
    best, depth, table = 1, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.\"' -]+?)\s*\]+\s*(#.*)?$", line):
            table = [part.strip(" \"'") for part in header.group(1).split(".")]
            here = table
        elif entry := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            here = [*table, *(part.strip(" \"'") for part in entry.group(1).split("."))]
        else:
            continue
        shared = _common_beginning(here, keys)
        if shared > depth and shared == min(len(here), len(keys)):
            best, depth = number, shared
    return best


def _names_at(field: str) -> Sequence[str]:
    """The names that are allowed at a field."""
    if field.startswith(".phases"):
        return PHASES
    return ORDER if field.startswith(".bounds.seconds") else ROLES


def _common_beginning(first: list[str], second: list[str]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other and other != _ANY:
            break
        count += 1
    return count
