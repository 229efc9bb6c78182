"""Imports over HTTP: messages that were said elsewhere, and memories of an export."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.http.responses import REFUSALS, refusal
from services.gateway.imports.lines import LineReader
from services.gateway.imports.memories import read_memory, statements_of
from services.gateway.imports.messages import BadLineView, Imported, MessageImport
from shared.contract.abilities import Ability
from shared.contract.errors import Refused


class ImportedMemories(msgspec.Struct, kw_only=True, frozen=True):
    """The outcome of an import of memories."""

    lines: int
    stored: int
    """They are there: new, or known before."""
    bad: list[BadLineView]


@post(
    "/imports",
    ability=Ability.MEMORY_WRITE,
    names_user=True,
    needs_room=True,
    status_code=HTTP_200_OK,
    request_max_body_size=None,  # Counted as it comes: IMPORT_LIMIT_BYTES.
    responses=REFUSALS | refusal(415, "The body is compressed or a form"),
    summary="Bring in messages that were said elsewhere",
    description="The body is NDJSON, one message a line: `session_id`, `message_id`, `speaker`, `text`; "
    "`at` and `user` may be left out. Answers when every good line is stored. Repeated, it changes nothing.",
)
async def post_imports(
    request: Call,
    message_import: MessageImport,
    for_user: Annotated[
        str | None,
        QueryParameter(name="user", description="the user of lines without `user`; for services and admins"),
    ] = None,
) -> Imported:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "send the body as it is, without Content-Encoding", "Content-Encoding")
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Refused(415, "send the lines as the body itself: curl --data-binary @FILE", "Content-Type")
    reader = LineReader(request.user, request.user.acts_for(for_user), datetime.now(UTC))
    announced = request.headers.get("content-length", "")
    return await message_import.take(
        request.stream(), reader, int(announced) if announced.isdecimal() else None
    )


@post(
    "/imports/memories",
    ability=Ability.MEMORY_WRITE,
    names_user=True,
    needs_room=True,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Bring in memories that were exported",
    description="The body is NDJSON: lines of an export's `memories.ndjson`. Repeated, it changes nothing.",
)
async def post_memories(
    request: Call,
    ask: InjectedAsk,
    for_user: Annotated[
        str | None,
        QueryParameter(name="user", description="the user whom they are for; for services and admins"),
    ] = None,
) -> ImportedMemories:
    user = request.user.acts_for(for_user)
    bad: list[BadLineView] = []
    stored = 0
    for number, line in enumerate((await request.body()).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            for statement in statements_of(read_memory(line), user):
                await ask(statement)
            stored += 1
        except ValueError as error:
            bad.append(BadLineView(line=number, reason=str(error)))
        except Refused as refused:
            if refused.status >= 500:
                raise
            # A memory that this user has had forgotten stays forgotten.
            bad.append(BadLineView(line=number, reason=refused.detail))
    return ImportedMemories(lines=stored + len(bad), stored=stored, bad=bad)


import_routes: list[HTTPRouteHandler] = [post_imports, post_memories]
