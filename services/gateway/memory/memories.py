"""Memories over HTTP: facts, preferences and notes."""

import re
from typing import Annotated

import msgspec
from litestar import get, patch, post
from litestar.params import Parameter
from litestar.status_codes import HTTP_201_CREATED

from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, InjectedAsk, Limit
from services.gateway.http.responses import CONFLICT, REFUSALS
from services.gateway.memory.moments import read_moment
from shared.contract.abilities import Ability
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.memories import (
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
from shared.contract.requests import (
    ChangeMemory,
    GetMemory,
    ListMemories,
    ListMemoriesReply,
    MemoryChange,
    MemoryFilter,
    SaveMemory,
)

_MEMORY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
OneLabel = Annotated[str | None, Parameter(max_length=128)]


class NewMemory(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What to remember. Where only a text is given, the rest is read from it, if it is plain."""

    text: Text
    kind: MemoryKind | None = None
    subject: Label = USER
    attribute: Label = ""
    value: Value = ""
    confidence: Confidence = 1.0
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    id: MemoryId | None = None
    """An id of the client's own, so that the same request again is the same statement."""


class MemoryPatch(MemoryChange, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What to change. `valid_to: null` says that the memory is valid."""


@post(
    "/memories",
    ability=Ability.MEMORY_WRITE,
    needs_room=True,
    dto=StrictBody[NewMemory],
    return_dto=None,
    status_code=HTTP_201_CREATED,
    responses=REFUSALS,
    summary="Remember something",
    description="A statement of what is known already confirms it. A newer statement takes its place. The "
    "answer is the memory as it is now.",
)
async def post_memory(data: NewMemory, request: Call, ask: InjectedAsk) -> Memory:
    statement = derive(Statement, data)
    return await ask(SaveMemory(user=request.user.name, statement=statement, memory_id=data.id))


@get(
    "/memories",
    ability=Ability.MEMORY_READ,
    responses=REFUSALS,
    summary="What is known, the latest first",
    description="Those that are valid now; with `as_of`, those that were valid then; with "
    "`history=true`, also those that are outdated.",
)
async def get_memories(
    request: Call,
    ask: InjectedAsk,
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
        as_of=read_moment(as_of, "as_of") if as_of else None,
        with_history=history,
        words=q,
    )
    return await ask(ListMemories(user=request.user.name, where=where, limit=limit, cursor=cursor))


@get(
    "/memories/{memory_id:str}",
    ability=Ability.MEMORY_READ,
    responses=REFUSALS,
    summary="One memory, with where it is known from",
)
async def get_memory(memory_id: str, request: Call, ask: InjectedAsk) -> Memory:
    return await ask(GetMemory(user=request.user.name, memory_id=_checked_id(memory_id)))


@patch(
    "/memories/{memory_id:str}",
    ability=Ability.MEMORY_WRITE,
    needs_room=True,
    dto=StrictBody[MemoryPatch],
    return_dto=None,
    responses=REFUSALS | CONFLICT,
    summary="Correct a memory",
    description="What is left out stays. The evidence keeps what was said, and when.",
)
async def patch_memory(memory_id: str, data: MemoryPatch, request: Call, ask: InjectedAsk) -> Memory:
    change = derive(MemoryChange, data)
    return await ask(ChangeMemory(user=request.user.name, memory_id=_checked_id(memory_id), change=change))


def _checked_id(memory_id: str) -> str:
    """Raises Refused (404)."""
    if not _MEMORY_ID.fullmatch(memory_id):
        raise Refused(404, f"there is no memory {memory_id[:64]}")
    return memory_id
