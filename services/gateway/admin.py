"""The HTTP API for admins: what was given up. Every route takes `admin`, and so refuses everybody else."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from litestar import Router, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.domain.views import ProblemDetails
from services.gateway.gateway import Gateway
from services.gateway.routes import CONFLICT, REFUSALS, Limit
from shared.errors import Refused
from shared.letters import (
    DeadLetter,
    DeadLetterRow,
    DeadLetterSettled,
    DropDeadLetter,
    ListDeadLetters,
    ReplayDeadLetter,
    ShowDeadLetter,
)

Sequence = Annotated[int, Parameter(ge=1, le=2**63 - 1)]
FOR_ADMINS = REFUSALS | {
    403: ResponseSpec(
        ProblemDetails,
        description="The key is valid, and its user is none of ADMIN_USERS",
        generate_examples=False,
        media_type="application/problem+json",
    )
}


def admins_only(admins: frozenset[str]) -> Callable[[str], Awaitable[str]]:
    """The dependency `admin` of a route: the user's name, or a refusal."""

    async def admin(user: str) -> str:
        if user not in admins:
            raise Refused(
                403,
                f"{user} is no admin; add the name to ADMIN_USERS and start the gateway again, or ask one",
            )
        return user

    return admin


class DeadLetterList(msgspec.Struct, kw_only=True, frozen=True):
    letters: list[DeadLetterRow]
    next_cursor: str | None


@get("/dead", responses=FOR_ADMINS, summary="Messages that were given up, oldest first")
async def get_dead_letters(
    gateway: Gateway,
    admin: str,
    cursor: Annotated[str | None, Parameter(pattern=r"^[1-9]\d{0,17}$")] = None,
    limit: Limit = 20,
) -> DeadLetterList:
    reply = await gateway.ask(ListDeadLetters(after=int(cursor) if cursor else 0, limit=limit))
    return DeadLetterList(
        letters=reply.letters, next_cursor=None if reply.next_cursor is None else str(reply.next_cursor)
    )


@get("/dead/{sequence:int}", responses=FOR_ADMINS, summary="One of them, with everything that is known")
async def get_dead_letter(sequence: Sequence, gateway: Gateway, admin: str) -> DeadLetter:
    return await gateway.ask(ShowDeadLetter(sequence=sequence))


@post(
    "/dead/{sequence:int}/replay",
    status_code=HTTP_200_OK,
    responses=FOR_ADMINS | CONFLICT,
    summary="Hand it to its durable once more",
    description="May be said again: `done` is false where it had been replayed or dropped before.",
)
async def replay_dead_letter(sequence: Sequence, gateway: Gateway, admin: str) -> DeadLetterSettled:
    return await gateway.ask(ReplayDeadLetter(sequence=sequence))


@delete(
    "/dead/{sequence:int}",
    status_code=HTTP_200_OK,
    responses=FOR_ADMINS,
    summary="Drop it for good",
    description="May be said again: `done` is false where it had been replayed or dropped before.",
)
async def drop_dead_letter(sequence: Sequence, gateway: Gateway, admin: str) -> DeadLetterSettled:
    return await gateway.ask(DropDeadLetter(sequence=sequence))


admin_api = Router(
    "/v1/admin",
    route_handlers=[get_dead_letters, get_dead_letter, replay_dead_letter, drop_dead_letter],
)
