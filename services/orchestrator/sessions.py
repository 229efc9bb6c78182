"""What a user sets for a session, and the recipe that a turn of it gets."""

from typing import Final

import msgspec

from services.orchestrator.domain.recipes import Chosen
from services.orchestrator.phases.deps import Clock
from services.orchestrator.ports import Recipes, SessionRecipes
from shared.endpoints import Endpoint
from shared.errors import Refused
from shared.events import TurnRequested
from shared.replies import (
    GetSession,
    ListHeldSessions,
    ListHeldSessionsReply,
    SessionSettings,
    SetSession,
)

_PAGE: Final = 100


class Sessions:
    def __init__(self, kept: SessionRecipes, recipes: Recipes, clock: Clock) -> None:
        self._kept = kept
        self._recipes = recipes
        self._clock = clock

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(GetSession, lambda request, send: self.get(request)),
            Endpoint(ListHeldSessions, lambda request, send: self.list_held(request)),
            Endpoint(SetSession, lambda request, send: self.set(request)),
        ]

    async def get(self, request: GetSession) -> SessionSettings:
        recipe = await self._kept.recipe_of(request.user, request.session_id)
        return SessionSettings(session_id=request.session_id, recipe=recipe)

    async def list_held(self, request: ListHeldSessions) -> ListHeldSessionsReply:
        held: list[SessionSettings] = []
        for session_id in await self._kept.sessions_of(request.user):
            if session_id <= request.after:
                continue
            if len(held) == _PAGE:
                return ListHeldSessionsReply(sessions=held, more=True)
            if recipe := await self._kept.recipe_of(request.user, session_id):
                held.append(SessionSettings(session_id=session_id, recipe=recipe))
        return ListHeldSessionsReply(sessions=held, more=False)

    async def set(self, request: SetSession) -> SessionSettings:
        """Raises Refused (422) where there is no such recipe."""
        names = self._recipes.names()
        if request.recipe and request.recipe not in names:
            raise Refused(
                422, f"there is no recipe {request.recipe!r}; there are: {', '.join(names)}", "recipe"
            )
        await self._kept.keep(request.user, request.session_id, request.recipe, self._clock())
        return SessionSettings(session_id=request.session_id, recipe=request.recipe)


class Choice(msgspec.Struct, frozen=True):
    chosen: Chosen | None
    """None where the turn names a recipe that does not exist."""
    notes: list[str] = []


async def choose_recipe(request: TurnRequested, recipes: Recipes, kept: SessionRecipes) -> Choice:
    """The turn's own, else its session's, else the settings'. Raises Transient.

    That a session's recipe is gone is no fault of the turn: it runs the settings' one, and says so.
    """
    if request.recipe:
        return Choice(recipes.choose(request.recipe))
    of_session = await kept.recipe_of(request.user, request.session_id)
    if (chosen := recipes.choose(of_session)) is not None:
        return Choice(chosen)
    default = recipes.choose("")
    instead = "none" if default is None else default.name
    return Choice(default, [f"recipe: the session's, {of_session}, is not there any more; ran {instead}"])
