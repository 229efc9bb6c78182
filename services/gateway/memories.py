"""The HTTP API of memories: facts, preferences and notes."""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.status_codes import HTTP_201_CREATED

from services.gateway.bodies import StrictBody
from services.gateway.gateway import Gateway
from services.gateway.routes import CONFLICT, REFUSALS, Limit
from shared.errors import Refused
from shared.memories import (
    USER,
    Confidence,
    Label,
    Memory,
    MemoryId,
    MemoryKind,
    Moment,
    Statement,
    Text,
    Value,
)
from shared.replies import (
    ChangeMemory,
    GetMemory,
    ListMemories,
    ListMemoriesReply,
    MemoryChange,
    MemoryFilter,
    SaveMemory,
)

_MEMORY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
"""In a query string a bare plus means a space."""
OneLabel = Annotated[str | None, Parameter(max_length=128)]


class NewMemory(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What shall be remembered. Of a bare text the rest is read, where it is plain."""

    text: Text
    kind: MemoryKind | None = None
    subject: Label = USER
    attribute: Label = ""
    value: Value = ""
    confidence: Confidence = 1.0
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    id: MemoryId | None = None
    """One's own, so that the same request again is the same statement."""


class MemoryPatch(MemoryChange, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What shall be otherwise; `valid_to: null` says that it holds."""


@post(
    "/memories",
    dto=StrictBody[NewMemory],
    return_dto=None,
    status_code=HTTP_201_CREATED,
    responses=REFUSALS,
    summary="Remember something",
    description="A statement of what is known already confirms it, and a newer one takes its place: the "
    "answer is the memory as it is now.",
)
async def post_memory(data: NewMemory, gateway: Gateway, user: str) -> Memory:
    statement = Statement(
        text=data.text,
        kind=data.kind,
        subject=data.subject,
        attribute=data.attribute,
        value=data.value,
        confidence=data.confidence,
        valid_from=data.valid_from,
        valid_to=data.valid_to,
    )
    return await gateway.ask(SaveMemory(user=user, statement=statement, memory_id=data.id))


@get(
    "/memories",
    responses=REFUSALS,
    summary="What is known, the latest first",
    description="What holds now; with `as_of`, what held then; with `history=true`, also what holds no more.",
)
async def get_memories(
    gateway: Gateway,
    user: str,
    kind: list[MemoryKind] | None = None,
    subject: OneLabel = None,
    attribute: OneLabel = None,
    as_of: str | None = None,
    history: bool = False,
    q: Annotated[str, Parameter(max_length=256)] = "",
    cursor: Annotated[str | None, Parameter(max_length=128)] = None,
    limit: Limit = 20,
) -> ListMemoriesReply:
    where = MemoryFilter(
        kinds=kind or [],
        subject=subject,
        attribute=attribute,
        as_of=_moment(as_of) if as_of else None,
        with_history=history,
        words=q,
    )
    return await gateway.ask(ListMemories(user=user, where=where, limit=limit, cursor=cursor))


@get("/memories/{memory_id:str}", responses=REFUSALS, summary="One memory, with where it is known from")
async def get_memory(memory_id: str, gateway: Gateway, user: str) -> Memory:
    return await gateway.ask(GetMemory(user=user, memory_id=_checked(memory_id)))


@patch(
    "/memories/{memory_id:str}",
    dto=StrictBody[MemoryPatch],
    return_dto=None,
    responses={**REFUSALS, **CONFLICT},
    summary="Correct a memory",
    description="What is left out stays. What was said, and when, stays in its evidence.",
)
async def patch_memory(memory_id: str, data: MemoryPatch, gateway: Gateway, user: str) -> Memory:
    change = MemoryChange(**msgspec.structs.asdict(data))
    return await gateway.ask(ChangeMemory(user=user, memory_id=_checked(memory_id), change=change))


def _checked(memory_id: str) -> str:
    if not _MEMORY_ID.fullmatch(memory_id):
        raise _no_such_memory(memory_id)
    return memory_id


def _no_such_memory(memory_id: str) -> Refused:
    return Refused(404, f"there is no memory {memory_id[:64]}")


def _moment(text: str) -> datetime:
    """A time without a zone is one in UTC, and a day is its beginning."""
    try:
        at = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(
            422, "as_of is no time; write it like 2026-03-14 or 2026-03-14T09:30Z", "as_of"
        ) from error


memory_routes: list[HTTPRouteHandler] = [
    post_memory,
    get_memories,
    get_memory,
    patch_memory,
]
