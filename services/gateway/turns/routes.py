"""Turns over HTTP: handing them in, and looking at them."""

from typing import Annotated

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.status_codes import HTTP_202_ACCEPTED

from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, Cursor, InjectedAsk, Limit, OneSession
from services.gateway.http.problems import ProblemDetails, problem
from services.gateway.http.responses import CONFLICT, REFUSALS
from services.gateway.live.sse import EventStream
from services.gateway.turns.control import control_routes
from services.gateway.turns.events import EVENTS, event_routes
from services.gateway.turns.idempotency import HEADER, checked_key
from services.gateway.turns.intake import Intake
from services.gateway.turns.lookup import Lookup
from services.gateway.turns.queue import QueueView
from services.gateway.turns.refusals import SessionBusy, checked_id
from services.gateway.turns.views import (
    AcceptedTurn,
    DocumentLink,
    DocumentList,
    NewTurn,
    TurnList,
    TurnView,
    server_timing,
)
from shared.contract.abilities import Ability
from shared.contract.events import may_have_turns
from shared.contract.requests import GetDocument, ListDocuments, ListTurns, ListUnended, UnendedStatus

_BODY_BYTES = 16 * 1024 * 1024
"""The largest body of a turn, with its images. Larger images are uploaded as files."""


@post(
    "/turns",
    ability=Ability.TURNS_WRITE,
    needs_room=True,
    dto=StrictBody[NewTurn],
    return_dto=None,
    status_code=HTTP_202_ACCEPTED,
    request_max_body_size=_BODY_BYTES,
    summary="Say something",
    responses={
        HTTP_202_ACCEPTED: ResponseSpec(AcceptedTurn, generate_examples=False, description="Stored"),
        **EVENTS,
        **REFUSALS,
        **CONFLICT,
    },
    description="Answers 202 once the turn is stored. With `Accept: text/event-stream` the answer streams. "
    "With an `Idempotency-Key` the same request again, within 24 hours, is the same turn.",
)
async def post_turn(
    request: Call,
    data: NewTurn,
    intake: Intake,
    idempotency_key: Annotated[str | None, HeaderParameter(name=HEADER)] = None,
) -> Response[AcceptedTurn] | EventStream:
    key = None if idempotency_key is None else checked_key(idempotency_key)
    if "text/event-stream" in request.headers.get("accept", ""):
        return await intake.accept_and_stream(data, request.user.name, key)
    accepted = await intake.accept(data, request.user.name, key)
    return Response(accepted, status_code=HTTP_202_ACCEPTED, headers={"location": accepted.links.self})


@get(
    "/turns/{turn_id:str}",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="A turn, whatever its state",
)
async def get_turn(turn_id: str, request: Call, lookup: Lookup) -> Response[TurnView]:
    turn = await lookup.turn(turn_id, request.user.name)
    return Response(turn, headers={"server-timing": server_timing(turn)} if turn.phases else {})


@get(
    "/turns/{turn_id:str}/documents",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="The names of a turn's documents",
)
async def get_documents(turn_id: str, request: Call, ask: InjectedAsk) -> DocumentList:
    reply = await ask(ListDocuments(user=request.user.name, turn_id=checked_id(turn_id)))
    links = [DocumentLink(name=name, href=f"/v1/turns/{turn_id}/documents/{name}") for name in reply.names]
    return DocumentList(documents=links)


@get(
    "/turns/{turn_id:str}/documents/{name:str}",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="One document of a turn",
)
async def get_document(turn_id: str, name: str, request: Call, ask: InjectedAsk) -> Response[str]:
    document = await ask(GetDocument(user=request.user.name, turn_id=checked_id(turn_id), name=name))
    return Response(document.text, media_type=f"{document.media_type}; charset=utf-8")


@get("/turns", ability=Ability.TURNS_READ, responses=REFUSALS, summary="A user's turns, newest first")
async def get_turns(
    request: Call,
    ask: InjectedAsk,
    session_id: OneSession = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> TurnList:
    if session_id is not None and not may_have_turns(session_id):
        return TurnList(turns=[], next_cursor=None)
    before = int(cursor) if cursor else None
    reply = await ask(ListTurns(user=request.user.name, session_id=session_id, before=before, limit=limit))
    return TurnList(
        turns=reply.turns, next_cursor=None if reply.next_cursor is None else str(reply.next_cursor)
    )


@get(
    "/queue",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="A user's turns that wait or run, oldest first",
    description="Of a turn whose status is `waiting`, `calls` are those that a person has to allow.",
)
async def get_queue(
    request: Call,
    lookup: Lookup,
    status: UnendedStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> QueueView:
    after = int(cursor) if cursor else 0
    return await lookup.queue(ListUnended(user=request.user.name, status=status, after=after, limit=limit))


def on_session_busy(request: Call, error: SessionBusy) -> Response[ProblemDetails]:
    return problem(request, error.status, error.detail, error.field, error.turn_id)


turn_routes: list[HTTPRouteHandler] = [
    post_turn,
    get_turn,
    get_documents,
    get_document,
    get_turns,
    get_queue,
    *event_routes,
    *control_routes,
]
