"""Recipes and roles from TOML files, which are read again when they change."""

import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import msgspec

from services.orchestrator.recipes.recipe import Chosen, Recipe, Roles, wrong_with
from services.orchestrator.recipes.toml_errors import decode_toml, line_of
from shared.process.environment import SettingsError

log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_VERSION_CHARACTERS = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class RecipeFiles:
    """The recipes of a folder, one file each, and the file of roles.

    A wrong file stops the start of the process, with its line. Later the last good files stay in use, and the
    log names the error. Unknown tools are only logged: they may come with an MCP server that is away now.
    """

    def __init__(
        self, folder: Path, roles: Path, default: str, fitting: Callable[[list[str]], list[str]] = list
    ) -> None:
        """`fitting` returns the existing tools whose names fit one of the patterns."""
        self._fitting = fitting
        self._folder = folder
        self._roles_file = roles
        self._default = default
        self._looked_at = monotonic()
        self._seen = self._stamps()
        self._chosen = self._read()

    def names(self) -> list[str]:
        self._look()
        return sorted(self._chosen)

    def choose(self, name: str) -> Chosen | None:
        self._look()
        return self._chosen.get(name or self._default)

    def _look(self) -> None:
        if monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = monotonic()
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._chosen = self._read()
            log.info("recipes read anew: %s", ", ".join(sorted(self._chosen)))
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

    def _read(self) -> dict[str, Chosen]:
        """Raises SettingsError."""
        recipes = {path.stem: _recipe_of(path) for path in sorted(self._folder.glob("*.toml"))}
        if self._default not in recipes:
            raise SettingsError(
                f"DEFAULT_RECIPE={self._default!r} is no recipe in RECIPES_DIR={self._folder}; there are: "
                f"{', '.join(recipes) or 'none'}. Name one of these, or put {self._default}.toml there."
            )
        roles = decode_toml(self._roles_file, _text_of(self._roles_file), Roles)
        self._warn_of_tools(recipes)
        return {name: _as_chosen(name, recipe, roles) for name, recipe in recipes.items()}

    def _warn_of_tools(self, recipes: dict[str, Recipe]) -> None:
        for name, recipe in recipes.items():
            for pattern in recipe.tools:
                if not self._fitting([pattern]):
                    there = ", ".join(self._fitting(["*"])) or "none"
                    log.warning("recipe %s: no tool is called %s now; there are: %s", name, pattern, there)


def _as_chosen(name: str, recipe: Recipe, roles: Roles) -> Chosen:
    text = msgspec.json.encode((recipe, roles), order="sorted")
    version = hashlib.sha256(text).hexdigest()[:_VERSION_CHARACTERS]
    return Chosen(name=name, version=version, recipe=recipe, roles=roles)


def _recipe_of(path: Path) -> Recipe:
    if not _NAME.fullmatch(path.stem):
        raise SettingsError(f"{path}: a recipe's name has small letters, digits, _ and -; rename the file")
    text = _text_of(path)
    recipe = decode_toml(path, text, Recipe)
    if (wrong := wrong_with(recipe)) is not None:
        field, what = wrong
        raise SettingsError(f"{path}, line {line_of(text, f'.{field}')}: {field}: {what}")
    return recipe


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Put it back, or correct its path.") from error
