"""Sessions over HTTP: which there are, what was said in one, and what is set for it."""

from typing import Annotated

import msgspec
from litestar import get, patch
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, Cursor, InjectedAsk, Limit, OneSession, SessionName
from services.gateway.http.responses import REFUSALS
from services.gateway.sessions.pages import SessionCursor, messages_page
from shared.contract.abilities import Ability
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import may_have_turns
from shared.contract.requests import (
    ConversationRow,
    GetSession,
    HeldMessage,
    ListConversations,
    ListMessages,
    SessionSettings,
    SetSession,
)


class SessionList(msgspec.Struct, kw_only=True, frozen=True):
    sessions: list[ConversationRow]
    next_cursor: str | None


class MessageList(msgspec.Struct, kw_only=True, frozen=True):
    messages: list[HeldMessage]
    """By place."""
    next_cursor: str | None


class SessionPatch(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    recipe: str
    """For turns that name none. Empty: the default one again."""


@get(
    "/sessions",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="A user's sessions, the latest first",
    description="Those of turns and those that were imported. `session_id`: only this one.",
)
async def get_sessions(
    request: Call,
    ask: InjectedAsk,
    session_id: OneSession = None,
    cursor: Annotated[str | None, Parameter(max_length=256)] = None,
    limit: Limit = 50,
) -> SessionList:
    before = None if cursor is None else SessionCursor.read(cursor)
    reply = await ask(
        ListConversations(
            user=request.user.name,
            session_id=session_id,
            before_at=before.last_at if before else None,
            before_session=before.session_id if before else "",
            limit=limit,
        )
    )
    found = reply.conversations
    following = derive(SessionCursor, found[-1]).written() if found and reply.more else None
    return SessionList(sessions=found, next_cursor=following)


@get(
    "/messages",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="What was said in a session, in order",
    description="Its turns' questions and answers, and imported messages.",
)
async def get_messages(
    request: Call, ask: InjectedAsk, session_id: SessionName, cursor: Cursor = None, limit: Limit = 50
) -> MessageList:
    after = int(cursor) - 1 if cursor else -1
    reply = await ask(ListMessages(user=request.user.name, after_session=session_id, after_ordinal=after))
    page, following = messages_page(reply, session_id, limit)
    return MessageList(messages=page, next_cursor=following)


@get(
    "/sessions/{session_id:str}",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="What is set for a session",
    description="Also before its first turn: a session is a name.",
)
async def get_session(session_id: SessionName, request: Call, ask: InjectedAsk) -> SessionSettings:
    if not may_have_turns(session_id):
        return SessionSettings(session_id=session_id)
    return await ask(GetSession(user=request.user.name, session_id=session_id))


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
    if not may_have_turns(session_id):
        raise Refused(
            422, "a session that has turns is named by 1 to 128 of A-Z a-z 0-9 _ . : -", "session_id"
        )
    return await ask(SetSession(user=request.user.name, session_id=session_id, recipe=data.recipe))


session_routes: list[HTTPRouteHandler] = [get_sessions, get_session, patch_session, get_messages]
