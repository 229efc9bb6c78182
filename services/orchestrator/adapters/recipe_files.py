"""Recipes and roles from TOML files, read anew when they change."""

import hashlib
import logging
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar

import msgspec

from services.orchestrator.domain.recipes import ORDER, PHASES, ROLES, Chosen, Recipe, Roles, wrong_with
from shared.errors import SettingsError

log = logging.getLogger(__name__)
T = TypeVar("T")
_LOOK_SECONDS = 1.0
_VERSION_CHARACTERS = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PATH = re.compile(r" - at (?:`key` in )?`\$(.*)`$")
_STEP = re.compile(r"\.(\w+)|\[(\.\.\.)\]")
"""An index of a list is left out: a list stands where it begins."""
_ANY = "..."


class RecipeFiles:
    """Recipes of a folder, a file each, and the roles that play in them.

    A file that is wrong stops the start, with its line; later the last good ones stay, and the log says why.
    Tools that are not there may come, with an MCP server that is away: they are only logged.
    """

    def __init__(
        self, folder: Path, roles: Path, default: str, fitting: Callable[[list[str]], list[str]] = list
    ) -> None:
        """`fitting`: the tools that are there, by patterns of their names."""
        self._fitting = fitting
        self._folder = folder
        self._roles_file = roles
        self._default = default
        self._looked_at = monotonic()
        self._seen = self._stamps()
        self._recipes, self._roles = self._read()

    def names(self) -> list[str]:
        self._look()
        return sorted(self._recipes)

    def choose(self, name: str) -> Chosen | None:
        self._look()
        name = name or self._default
        recipe = self._recipes.get(name)
        if recipe is None:
            return None
        text = msgspec.json.encode((recipe, self._roles), order="sorted")
        version = hashlib.sha256(text).hexdigest()[:_VERSION_CHARACTERS]
        return Chosen(name=name, version=version, recipe=recipe, roles=self._roles)

    def _look(self) -> None:
        if monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = monotonic()
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._recipes, self._roles = self._read()
            log.info("recipes read anew: %s", ", ".join(sorted(self._recipes)))
        except SettingsError as error:
            log.error("the former recipes stay: %s", error)

    def _stamps(self) -> dict[Path, tuple[int, int]]:
        stamps = {}
        for path in (*self._folder.glob("*.toml"), self._roles_file):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            stamps[path] = (stat.st_mtime_ns, stat.st_size)
        return stamps

    def _read(self) -> tuple[dict[str, Recipe], Roles]:
        """Raises SettingsError that names file, line and field."""
        recipes = {}
        for path in sorted(self._folder.glob("*.toml")):
            if not _NAME.fullmatch(path.stem):
                raise SettingsError(
                    f"{path}: a recipe's name has small letters, digits, _ and -; rename the file"
                )
            text = _text_of(path)
            recipes[path.stem] = recipe = _decoded(path, text, Recipe)
            if (wrong := wrong_with(recipe)) is not None:
                field, what = wrong
                raise SettingsError(f"{path}, line {line_of(text, f'.{field}')}: {field}: {what}")
        if self._default not in recipes:
            raise SettingsError(
                f"DEFAULT_RECIPE={self._default!r} is no recipe in RECIPES_DIR={self._folder}; there are: "
                f"{', '.join(recipes) or 'none'}. Name one of these, or put {self._default}.toml there."
            )
        roles = _decoded(self._roles_file, _text_of(self._roles_file), Roles)
        self._warn_of_tools(recipes)
        return recipes, roles

    def _warn_of_tools(self, recipes: dict[str, Recipe]) -> None:
        for name, recipe in recipes.items():
            for pattern in recipe.tools:
                if not self._fitting([pattern]):
                    there = ", ".join(self._fitting(["*"])) or "none"
                    log.warning("recipe %s: no tool is called %s now; there are: %s", name, pattern, there)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Put it back, or correct its path.") from error


def _decoded(path: Path, text: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except tomllib.TOMLDecodeError as error:  # Its message names the line.
        raise SettingsError(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        found = _PATH.search(str(error))
        place = found.group(1) if found else ""
        what = str(error)[: found.start()] if found else str(error)
        if what.startswith("Invalid enum value"):
            what += f"; there are: {', '.join(_names_at(place))}"
        unknown = re.search(r"unknown field `(\w+)`", what)
        line = line_of(text, f"{place}.{unknown.group(1)}" if unknown else place)
        raise SettingsError(f"{path}, line {line}: {place.lstrip('.') or 'the file'}: {what}") from error


def _names_at(place: str) -> Sequence[str]:
    """What may stand where a name has to be one of a few."""
    if place.startswith(".phases"):
        return PHASES
    return ORDER if place.startswith(".bounds.seconds") else ROLES


def line_of(text: str, place: str) -> int:
    """The line of a value such as `.bounds.rounds` or `.phases[1]`; the nearest one above it otherwise."""
    keys = [name or any_ for name, any_ in _STEP.findall(place)]
    best, depth, table = 1, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.\"' -]+?)\s*\]+\s*(#.*)?$", line):
            table = [part.strip(" \"'") for part in header.group(1).split(".")]
            here = table
        elif entry := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            here = [*table, *(part.strip(" \"'") for part in entry.group(1).split("."))]
        else:
            continue
        shared = _begin_in_common(here, keys)
        if shared > depth and shared == min(len(here), len(keys)):
            best, depth = number, shared
    return best


def _begin_in_common(first: list[str], second: list[str]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other and other != _ANY:
            break
        count += 1
    return count
