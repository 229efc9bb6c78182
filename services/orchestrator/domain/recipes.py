"""A recipe names the phases that a turn runs, in order."""

from typing import Literal

import msgspec

PhaseName = Literal["gather", "synthesis", "save"]


class Recipe(msgspec.Struct, frozen=True):
    name: str
    phases: tuple[PhaseName, ...]


DIRECT = Recipe("direct", ("gather", "synthesis", "save"))
"""Phases 2, 5 and 7 of seed 003: look into memory, answer, write down."""

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (DIRECT,)}
