"""The HTTP API: each route translates a request to the bus and the answer back."""

from typing import Annotated, Any, Literal

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, Parameter
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from services.gateway.bodies import StrictBody
from services.gateway.domain.idempotency import HEADER, checked_key
from services.gateway.domain.views import (
    AcceptedTurn,
    DocumentLink,
    DocumentList,
    NewAnswer,
    NewSteering,
    NewTurn,
    ProblemDetails,
    SessionList,
    TurnList,
    TurnView,
    server_timing,
)
from services.gateway.gateway import Gateway
from services.gateway.sse import EventStream
from shared.errors import Refused
from shared.events import SESSION_PATTERN
from shared.replies import (
    Control,
    Controlled,
    GetDocument,
    ListDocuments,
    ListSessions,
    ListTurns,
)

_TEXTS = {
    400: "The request cannot be read",
    401: "A valid API key is needed",
    404: "Not found",
    413: "Too large",
    422: "Not valid; `field` says where",
    503: "Not available now; Retry-After says when",
}
REFUSALS = {
    status: ResponseSpec(
        ProblemDetails, description=text, generate_examples=False, media_type="application/problem+json"
    )
    for status, text in _TEXTS.items()
}
EVENTS = ResponseSpec(
    str, description="The turn's events", generate_examples=False, media_type="text/event-stream"
)
CONFLICT = {
    409: ResponseSpec(
        ProblemDetails,
        description="Not possible as things stand; `turn_id` is the turn that is in the way",
        generate_examples=False,
        media_type="application/problem+json",
    )
}
_BODY_BYTES = 16 * 1024 * 1024
"""Of a turn, with the images in it; larger ones are uploaded as files."""
Limit = Annotated[int, Parameter(ge=1, le=100)]


@post(
    "/turns",
    dto=StrictBody[NewTurn],
    return_dto=None,
    status_code=HTTP_202_ACCEPTED,
    request_max_body_size=_BODY_BYTES,
    summary="Say something",
    responses={
        HTTP_200_OK: EVENTS,
        HTTP_202_ACCEPTED: ResponseSpec(AcceptedTurn, generate_examples=False, description="Stored"),
        **REFUSALS,
        **CONFLICT,
    },
    description="Answers 202 once the turn is stored. With `Accept: text/event-stream` the answer streams. "
    "With an `Idempotency-Key` the same request again, within 24 hours, is the same turn.",
)
async def post_turn(
    request: Request[Any, Any, Any],
    data: NewTurn,
    gateway: Gateway,
    user: str,
    idempotency_key: Annotated[str | None, HeaderParameter(name=HEADER)] = None,
) -> Response[AcceptedTurn] | EventStream:
    key = None if idempotency_key is None else checked_key(idempotency_key)
    if "text/event-stream" in request.headers.get("accept", ""):
        return await gateway.accept_and_stream(data, user, key)
    accepted = await gateway.accept(data, user, key)
    return Response(accepted, status_code=HTTP_202_ACCEPTED, headers={"location": accepted.links.self})


@post(
    "/turns/{turn_id:str}/cancel",
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Stop a turn",
    description="May be said again and again; a turn that has ended stays as it is.",
)
async def cancel_turn(turn_id: str, gateway: Gateway, user: str) -> Controlled:
    return await gateway.control(Control(user=user, turn_id=gateway.checked_id(turn_id), action="cancel"))


@post(
    "/turns/{turn_id:str}/steer",
    dto=StrictBody[NewSteering],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses={**REFUSALS, **CONFLICT},
    summary="Add a message to a running turn",
)
async def steer_turn(turn_id: str, data: NewSteering, gateway: Gateway, user: str) -> Controlled:
    return await gateway.control(
        Control(user=user, turn_id=gateway.checked_id(turn_id), action="steer", text=data.text)
    )


async def _answer_call(
    turn_id: str, data: NewAnswer, gateway: Gateway, user: str, action: Literal["approve", "deny"]
) -> Controlled:
    return await gateway.control(
        Control(user=user, turn_id=gateway.checked_id(turn_id), action=action, call=data.call)
    )


@post(
    "/turns/{turn_id:str}/approve",
    dto=StrictBody[NewAnswer],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses={**REFUSALS, **CONFLICT},
    summary="Allow a tool call that the turn waits for",
)
async def approve_call(turn_id: str, data: NewAnswer, gateway: Gateway, user: str) -> Controlled:
    return await _answer_call(turn_id, data, gateway, user, "approve")


@post(
    "/turns/{turn_id:str}/deny",
    dto=StrictBody[NewAnswer],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses={**REFUSALS, **CONFLICT},
    summary="Forbid a tool call that the turn waits for; the turn goes on without it",
)
async def deny_call(turn_id: str, data: NewAnswer, gateway: Gateway, user: str) -> Controlled:
    return await _answer_call(turn_id, data, gateway, user, "deny")


@get("/turns/{turn_id:str}", responses=REFUSALS, summary="A turn, whatever its state")
async def get_turn(turn_id: str, gateway: Gateway, user: str) -> Response[TurnView]:
    turn = await gateway.turn(turn_id, user)
    return Response(turn, headers={"server-timing": server_timing(turn)} if turn.phases else {})


@get(
    "/turns/{turn_id:str}/events",
    responses={HTTP_200_OK: EVENTS, **REFUSALS},
    summary="The turn's events: what was, then what comes",
)
async def get_events(
    turn_id: str,
    gateway: Gateway,
    user: str,
    starting_after: Annotated[int | None, Parameter(ge=-1)] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="last-event-id")] = None,
) -> EventStream:
    after = starting_after if starting_after is not None else _index_of(last_event_id)
    return await gateway.stream(turn_id, user, after)


@get("/turns/{turn_id:str}/documents", responses=REFUSALS, summary="The names of a turn's documents")
async def get_documents(turn_id: str, gateway: Gateway, user: str) -> DocumentList:
    reply = await gateway.ask(ListDocuments(user=user, turn_id=gateway.checked_id(turn_id)))
    links = [DocumentLink(name=name, href=f"/v1/turns/{turn_id}/documents/{name}") for name in reply.names]
    return DocumentList(documents=links)


@get("/turns/{turn_id:str}/documents/{name:str}", responses=REFUSALS, summary="One document of a turn")
async def get_document(turn_id: str, name: str, gateway: Gateway, user: str) -> Response[str]:
    document = await gateway.ask(GetDocument(user=user, turn_id=gateway.checked_id(turn_id), name=name))
    return Response(document.text, media_type=f"{document.media_type}; charset=utf-8")


@get("/turns", responses=REFUSALS, summary="A user's turns, newest first")
async def get_turns(
    gateway: Gateway,
    user: str,
    session_id: Annotated[str | None, Parameter(pattern=SESSION_PATTERN)] = None,
    cursor: Annotated[str | None, Parameter(pattern=r"^[1-9]\d{0,17}$")] = None,
    limit: Limit = 20,
) -> TurnList:
    reply = await gateway.ask(
        ListTurns(user=user, session_id=session_id, before=int(cursor) if cursor else None, limit=limit)
    )
    return TurnList(
        turns=reply.turns, next_cursor=None if reply.next_cursor is None else str(reply.next_cursor)
    )


@get("/sessions", responses=REFUSALS, summary="A user's sessions, the latest first")
async def get_sessions(gateway: Gateway, user: str, limit: Limit = 50) -> SessionList:
    return SessionList(sessions=(await gateway.ask(ListSessions(user=user, limit=limit))).sessions)


def _index_of(last_event_id: str | None) -> int:
    if not last_event_id:
        return -1
    if not last_event_id.isdecimal():
        raise Refused(400, "Last-Event-ID must be an event's id: a whole number", "Last-Event-ID")
    return int(last_event_id)


turn_routes: list[HTTPRouteHandler] = [
    post_turn,
    cancel_turn,
    steer_turn,
    approve_call,
    deny_call,
    get_turn,
    get_events,
    get_documents,
    get_document,
    get_turns,
    get_sessions,
]
