"""Recipes and the models of the engines, as models of OpenAI's API."""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from shared.contract.errors import Refused
from shared.contract.requests import RecipesReply

PANDORA: Final = "pandora"
"""The recipe `standard`. Any other recipe is `pandora-<recipe>`."""
_STANDARD: Final = "standard"


class Model(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    """Always 0: neither recipes nor engines know it. OpenAI's clients need the field."""
    owned_by: str


class ModelList(msgspec.Struct, kw_only=True, frozen=True):
    object: Literal["list"] = "list"
    data: list[Model]


def model_of(recipe: str) -> str:
    return PANDORA if recipe == _STANDARD else f"{PANDORA}-{recipe}"


class TurnRecipe(msgspec.Struct, frozen=True):
    name: str
    is_unapproved: bool = False
    """Its readers see an answer before validation has approved it."""
    takes_tools: bool = False
    """The model may call tools of the client."""


def recipe_of(model: str, recipes: RecipesReply) -> TurnRecipe | None:
    """Returns the recipe that the model stands for; None where it stands for none."""
    name = next((name for name in recipes.names if model_of(name) == model), None)
    if name is None:
        return None
    return TurnRecipe(name, name in recipes.unapproved, name in recipes.client_tools)


def may_be_recipe(model: str) -> bool:
    return model.partition("-")[0] == PANDORA


def listed(recipes: Iterable[str], engine: str, raw: Iterable[str]) -> list[Model]:
    """Recipes first. A recipe hides a model of the engine that has its name, as it does in a chat."""
    turns = {model_of(recipe): PANDORA for recipe in recipes}
    owners = turns | {name: engine for name in raw if name not in turns}
    return [Model(id=name, owned_by=owner) for name, owner in owners.items()]


def no_such_model(model: str) -> Refused:
    return Refused(404, f"there is no model {model!r}; GET /v1/models lists those that there are", "model")
