"""The HTTP API of all that is held of a user: to take it along; and of the archive."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter, QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from services.gateway.domain.memories_in import read_memory, statements_of
from services.gateway.domain.naming import Naming
from services.gateway.domain.views import BadLineView
from services.gateway.exporting import Export
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS
from services.gateway.search import FORBIDDEN
from shared.errors import Refused
from shared.replies import ArchiveTurns, ArchiveTurnsReply

_ARCHIVE_SECONDS = 60.0
_ZIP = {
    HTTP_200_OK: ResponseSpec(
        bytes,
        description="A zip: messages, memories, pages, files, turns, documents; `manifest.json` comes last",
        generate_examples=False,
        media_type="application/zip",
    )
}
Days = Annotated[float | None, Parameter(ge=0, le=100_000)]


@get(
    "/users/{name:str}/export",
    responses=_ZIP | REFUSALS | FORBIDDEN,
    summary="Everything that is held of a user, as a zip",
    description="`me` is whose key it is; others are exported by an admin. Sent as it is made; what breaks "
    "off is no zip.",
)
async def export_user(name: str, gateway: Gateway, user: str, naming: Naming) -> Stream:
    return await _export(gateway, naming.user(user, None if name == "me" else name))


class ImportedMemories(msgspec.Struct, kw_only=True, frozen=True):
    """What became of the lines."""

    lines: int
    stored: int
    """They are there: new, or known before."""
    bad: list[BadLineView]


async def _export(gateway: Gateway, user: str) -> Stream:
    now = datetime.now(UTC)
    parts = Export(gateway, user, now).parts()
    first = await anext(parts)  # What must be refused is refused before anything is sent.

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                if part:
                    yield part

    return Stream(
        whole(),
        media_type="application/zip",
        headers={
            "content-disposition": f'attachment; filename="pandora-{user}-{now:%Y-%m-%d}.zip"',
            "cache-control": "no-store",
        },
    )


@post(
    "/imports/memories",
    status_code=HTTP_200_OK,
    responses=REFUSALS | FORBIDDEN,
    summary="Bring in memories that were exported",
    description="The body is NDJSON: lines of an export's `memories.ndjson`. Again, it changes nothing.",
)
async def post_memories(
    request: Request[Any, Any, Any],
    gateway: Gateway,
    naming: Naming,
    user: str,
    for_user: Annotated[
        str | None, QueryParameter(name="user", description="whose they become; for admins")
    ] = None,
) -> ImportedMemories:
    whose = naming.user(user, for_user)
    bad: list[BadLineView] = []
    stored = 0
    for number, line in enumerate((await request.body()).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            for statement in statements_of(read_memory(line), whose):
                await gateway.ask(statement)
            stored += 1
        except ValueError as error:
            bad.append(BadLineView(line=number, reason=str(error)))
        except Refused as refusal:
            if refusal.status >= 500:
                raise
            # A memory that this user has had forgotten stays forgotten.
            bad.append(BadLineView(line=number, reason=refusal.detail))
    return ImportedMemories(lines=stored + len(bad), stored=stored, bad=bad)


@post(
    "/admin/archive",
    status_code=HTTP_200_OK,
    responses=REFUSALS | FORBIDDEN,
    summary="Compress turns that nobody has used for long",
    description="Works for about a second, oldest first; say it again while `left` is not 0.",
)
async def archive_turns(
    gateway: Gateway, admin: str, older_than_days: Days = None, dry_run: bool = False
) -> ArchiveTurnsReply:
    return await gateway.ask(ArchiveTurns(older_than_days=older_than_days, dry_run=dry_run), _ARCHIVE_SECONDS)


export_routes: list[HTTPRouteHandler] = [export_user, post_memories, archive_turns]
