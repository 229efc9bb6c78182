"""Where recipes come from."""

from datetime import datetime
from typing import Protocol

from services.orchestrator.recipes.recipe import Chosen


class Recipes(Protocol):
    """The recipes and roles, as their files are now."""

    def names(self) -> list[str]: ...

    def choose(self, name: str) -> Chosen | None:
        """An empty name means the default. None where there is no such recipe."""
        ...


class RecipeOfSession(Protocol):
    """The recipe that a user has set for a session. Raises Transient."""

    async def recipe_of(self, user: str, session_id: str) -> str:
        """Empty where none is set."""
        ...


class SessionRecipes(RecipeOfSession, Protocol):
    """The recipes that users have set for their sessions. Raises Transient."""

    async def sessions_of(self, user: str) -> list[str]:
        """The ids of the sessions that have a recipe, in order."""
        ...

    async def keep(self, user: str, session_id: str, recipe: str, at: datetime) -> None:
        """An empty recipe removes the setting."""
        ...
