"""The HTTP API of what is set for a session."""

import msgspec
from litestar import get, patch
from litestar.handlers import HTTPRouteHandler

from services.gateway.bodies import StrictBody
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS
from shared.errors import Refused
from shared.events import SessionId
from shared.replies import GetSession, SessionSettings, SetSession


class SessionPatch(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    recipe: str
    """Of turns that name none; empty: the default one again."""


@get(
    "/sessions/{session_id:str}",
    responses=REFUSALS,
    summary="What is set for a session",
    description="Also before its first turn: a session is a name.",
)
async def get_session(session_id: str, gateway: Gateway, user: str) -> SessionSettings:
    return await gateway.ask(GetSession(user=user, session_id=_checked(session_id)))


@patch(
    "/sessions/{session_id:str}",
    dto=StrictBody[SessionPatch],
    return_dto=None,
    responses=REFUSALS,
    summary="Set the recipe of a session",
    description="Of its turns that name none, from the next one on. An empty one takes it away.",
)
async def patch_session(session_id: str, data: SessionPatch, gateway: Gateway, user: str) -> SessionSettings:
    return await gateway.ask(SetSession(user=user, session_id=_checked(session_id), recipe=data.recipe))


def _checked(session_id: str) -> str:
    try:
        return msgspec.convert(session_id, SessionId)
    except msgspec.ValidationError as error:
        raise Refused(422, "a session is named by 1 to 128 of A-Z a-z 0-9 _ . : -", "session_id") from error


session_routes: list[HTTPRouteHandler] = [
    get_session,
    patch_session,
]
