"""Dead letters over HTTP."""

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.params import Parameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.http.parameters import Cursor, InjectedAsk, Limit
from services.gateway.http.responses import CONFLICT, REFUSALS
from shared.contract.abilities import Ability
from shared.contract.requests.dead_letters import (
    DeadLetter,
    DeadLetterRow,
    DeadLetterSettled,
    DropDeadLetter,
    ListDeadLetters,
    ReplayDeadLetter,
    ShowDeadLetter,
)

Sequence = Annotated[int, Parameter(ge=1, le=2**63 - 1)]


class DeadLetterList(msgspec.Struct, kw_only=True, frozen=True):
    letters: list[DeadLetterRow]
    next_cursor: str | None


@get(
    "/admin/dead",
    ability=Ability.OPERATE_READ,
    responses=REFUSALS,
    summary="Messages that were given up, oldest first",
)
async def get_dead_letters(ask: InjectedAsk, cursor: Cursor = None, limit: Limit = 20) -> DeadLetterList:
    reply = await ask(ListDeadLetters(after=int(cursor) if cursor else 0, limit=limit))
    return DeadLetterList(
        letters=reply.letters, next_cursor=None if reply.next_cursor is None else str(reply.next_cursor)
    )


@get(
    "/admin/dead/{sequence:int}",
    ability=Ability.ADMIN_READ,
    responses=REFUSALS,
    summary="One of them, with everything that is known",
)
async def get_dead_letter(sequence: Sequence, ask: InjectedAsk) -> DeadLetter:
    return await ask(ShowDeadLetter(sequence=sequence))


@post(
    "/admin/dead/{sequence:int}/replay",
    ability=Ability.OPERATE_WRITE,
    status_code=HTTP_200_OK,
    responses=REFUSALS | CONFLICT,
    summary="Hand it to its durable once more",
    description="May be repeated: `done` is false where it had been replayed or dropped before.",
)
async def replay_dead_letter(sequence: Sequence, ask: InjectedAsk) -> DeadLetterSettled:
    return await ask(ReplayDeadLetter(sequence=sequence))


@delete(
    "/admin/dead/{sequence:int}",
    ability=Ability.OPERATE_WRITE,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Drop it for good",
    description="May be repeated: `done` is false where it had been replayed or dropped before.",
)
async def drop_dead_letter(sequence: Sequence, ask: InjectedAsk) -> DeadLetterSettled:
    return await ask(DropDeadLetter(sequence=sequence))
