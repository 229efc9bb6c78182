"""The settings of sessions, and the recipe that a turn gets."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from services.orchestrator.recipes.ports import RecipeOfSession, Recipes, SessionRecipes
from services.orchestrator.recipes.recipe import Chosen
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.events import TurnRequested
from shared.contract.requests import (
    GetSession,
    ListHeldSessions,
    ListHeldSessionsReply,
    RecipesReply,
    SessionSettings,
    SetSession,
)
from shared.contract.requests import Recipes as ListRecipes

_PAGE: Final = 100


class Sessions:
    def __init__(self, stored: SessionRecipes, recipes: Recipes, clock: Callable[[], datetime]) -> None:
        self._stored = stored
        self._recipes = recipes
        self._clock = clock

    @endpoint
    async def get(self, request: GetSession) -> SessionSettings:
        recipe = await self._stored.recipe_of(request.user, request.session_id)
        return SessionSettings(session_id=request.session_id, recipe=recipe)

    @endpoint
    async def list_held(self, request: ListHeldSessions) -> ListHeldSessionsReply:
        found: list[SessionSettings] = []
        for session_id in await self._stored.sessions_of(request.user):
            if session_id <= request.after:
                continue
            if len(found) == _PAGE:
                return ListHeldSessionsReply(sessions=found, more=True)
            if recipe := await self._stored.recipe_of(request.user, session_id):
                found.append(SessionSettings(session_id=session_id, recipe=recipe))
        return ListHeldSessionsReply(sessions=found, more=False)

    @endpoint
    async def set(self, request: SetSession) -> SessionSettings:
        """Raises Refused (422) where there is no such recipe."""
        names = self._recipes.names()
        if request.recipe and request.recipe not in names:
            raise Refused(
                422, f"there is no recipe {request.recipe!r}; there are: {', '.join(names)}", "recipe"
            )
        await self._stored.keep(request.user, request.session_id, request.recipe, self._clock())
        return SessionSettings(session_id=request.session_id, recipe=request.recipe)

    @endpoint
    async def list_recipes(self, request: ListRecipes) -> RecipesReply:
        names = self._recipes.names()
        chosen = [one for name in names if (one := self._recipes.choose(name)) is not None]
        return RecipesReply(
            names=names,
            unapproved=[one.name for one in chosen if one.recipe.shows_unapproved],
            client_tools=[one.name for one in chosen if one.recipe.client_tools],
        )


class Choice(msgspec.Struct, frozen=True):
    chosen: Chosen | None
    """None where the turn names a recipe that does not exist."""
    notes: list[str] = []


async def choose_recipe(request: TurnRequested, recipes: Recipes, stored: RecipeOfSession) -> Choice:
    """The turn's own recipe, or its session's, or the default one. Raises Transient.

    Where the session's recipe does not exist any more, the turn runs the default one, and a note says so.
    """
    if request.recipe:
        return Choice(recipes.choose(request.recipe))
    of_session = await stored.recipe_of(request.user, request.session_id)
    if (chosen := recipes.choose(of_session)) is not None:
        return Choice(chosen)
    default = recipes.choose("")
    instead = "none" if default is None else default.name
    return Choice(default, [f"recipe: the session's, {of_session}, is not there any more; ran {instead}"])
