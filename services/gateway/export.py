"""The HTTP API of all that is held of a user: to take it along; and of the archive."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from services.gateway.domain.naming import Naming
from services.gateway.exporting import Export
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS
from services.gateway.search import FORBIDDEN
from shared.replies import ArchiveTurns, ArchiveTurnsReply

_ARCHIVE_SECONDS = 60.0
_ZIP = {
    HTTP_200_OK: ResponseSpec(
        bytes,
        description="A zip: messages, memories, turns, documents; `manifest.json` comes last",
        generate_examples=False,
        media_type="application/zip",
    )
}
Days = Annotated[float | None, Parameter(ge=0, le=100_000)]


@get(
    "/users/me/export",
    responses=_ZIP | REFUSALS,
    summary="Everything that is held of you, as a zip",
    description="Sent as it is made. An answer that breaks off is no zip, and lacks `manifest.json`.",
)
async def export_own(gateway: Gateway, user: str) -> Stream:
    return await _export(gateway, user)


@get(
    "/users/{named:str}/export",
    responses=_ZIP | REFUSALS | FORBIDDEN,
    summary="Everything that is held of a user, for admins",
)
async def export_user(named: str, gateway: Gateway, user: str, naming: Naming) -> Stream:
    return await _export(gateway, naming.user(user, named))


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


export_routes: list[HTTPRouteHandler] = [export_own, export_user, archive_turns]
