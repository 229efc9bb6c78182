"""Exports over HTTP."""

from datetime import UTC, datetime

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from services.gateway.exports.export import Export
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.http.responses import REFUSALS, sent_as
from services.gateway.http.streaming import streamed
from shared.contract.abilities import Ability

_ZIP = {
    HTTP_200_OK: sent_as(
        bytes,
        "A zip: messages, memories, pages, files, turns, documents; `manifest.json` comes last",
        "application/zip",
    )
}


@get(
    "/users/{name:str}/export",
    ability=Ability.DATA_EXPORT,
    names_user=True,
    responses=_ZIP | REFUSALS,
    summary="Everything that is stored of a user, as a zip",
    description="`me` is the user of the key; only services and admins may name another. "
    "Sent while it is made: one that breaks off cannot be read.",
)
async def export_user(name: str, request: Call, ask: InjectedAsk) -> Stream:
    user, now = request.user.acts_for(name), datetime.now(UTC)
    return await streamed(
        Export(ask, user, now).parts(),
        media_type="application/zip",
        headers={
            "content-disposition": f'attachment; filename="pandora-{user}-{now:%Y-%m-%d}.zip"',
            "cache-control": "no-store",
        },
    )


export_routes: list[HTTPRouteHandler] = [export_user]
