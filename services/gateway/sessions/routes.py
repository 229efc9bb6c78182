"""Sessions over HTTP: which there are, and what is set for one."""

import msgspec
from litestar import get, patch
from litestar.handlers import HTTPRouteHandler

from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, InjectedAsk, Limit
from services.gateway.http.responses import REFUSALS
from shared.contract.abilities import Ability
from shared.contract.errors import Refused
from shared.contract.events import SessionId
from shared.contract.requests import GetSession, ListSessions, SessionRow, SessionSettings, SetSession


class SessionList(msgspec.Struct, kw_only=True, frozen=True):
    sessions: list[SessionRow]


class SessionPatch(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    recipe: str
    """For turns that name none. Empty: the default one again."""


@get(
    "/sessions", ability=Ability.TURNS_READ, responses=REFUSALS, summary="A user's sessions, the latest first"
)
async def get_sessions(request: Call, ask: InjectedAsk, limit: Limit = 50) -> SessionList:
    reply = await ask(ListSessions(user=request.user.name, limit=limit))
    return SessionList(sessions=reply.sessions)


@get(
    "/sessions/{session_id:str}",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="What is set for a session",
    description="Also before its first turn: a session is a name.",
)
async def get_session(session_id: str, request: Call, ask: InjectedAsk) -> SessionSettings:
    return await ask(GetSession(user=request.user.name, session_id=_checked(session_id)))


@patch(
    "/sessions/{session_id:str}",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[SessionPatch],
    return_dto=None,
    responses=REFUSALS,
    summary="Set the recipe of a session",
    description="For turns that name no recipe, from the next one on. An empty recipe removes it.",
)
async def patch_session(
    session_id: str, data: SessionPatch, request: Call, ask: InjectedAsk
) -> SessionSettings:
    return await ask(SetSession(user=request.user.name, session_id=_checked(session_id), recipe=data.recipe))


def _checked(session_id: str) -> str:
    try:
        return msgspec.convert(session_id, SessionId)
    except msgspec.ValidationError as error:
        raise Refused(422, "a session is named by 1 to 128 of A-Z a-z 0-9 _ . : -", "session_id") from error


session_routes: list[HTTPRouteHandler] = [get_sessions, get_session, patch_session]
