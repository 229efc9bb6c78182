"""Searching what is remembered, over HTTP."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.status_codes import HTTP_200_OK

from services.gateway.http.bodies import StrictBody
from services.gateway.http.callers import Caller
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.http.responses import REFUSALS
from services.gateway.memory.moments import read_moment
from shared.contract.abilities import Ability
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import AnySessionId, User
from shared.contract.requests import KINDS, Hit, Kind, Search, Speaker

_Since = Annotated[str, msgspec.Meta(description="ISO 8601, without a zone UTC; a date alone: its beginning")]
_Until = Annotated[str, msgspec.Meta(description="ISO 8601, without a zone UTC; a date alone: its end")]


class NewSearch(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    kinds: Annotated[list[Kind], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: list(KINDS)
    )
    session_id: AnySessionId | None = None
    speaker: Annotated[Speaker | None, msgspec.Meta(description="who said it, in any case")] = None
    since: _Since | None = None
    until: _Until | None = None
    explain: Annotated[
        bool, msgspec.Meta(description="each hit with every signal that gave it its place")
    ] = False
    abandoned: Annotated[
        bool, msgspec.Meta(description="also turns that their session goes on without, as after an edit")
    ] = False
    user: Annotated[User | None, msgspec.Meta(description="whose memory; for services and admins")] = None


class SearchResult(msgspec.Struct, kw_only=True, frozen=True):
    hits: list[Hit]


@post(
    "/search",
    ability=Ability.MEMORY_READ,
    names_user=True,
    dto=StrictBody[NewSearch],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="What memory holds",
)
async def search(data: NewSearch, request: Call, ask: InjectedAsk) -> SearchResult:
    reply = await ask(search_of(data, request.user))
    return SearchResult(hits=reply.hits)


def search_of(new: NewSearch, caller: Caller) -> Search:
    """Raises Refused: 422, or 404 where the caller may not search for the named user."""
    if not new.query.strip():
        raise Refused(422, "query is empty; say what to look for", "query")
    since = None if new.since is None else read_moment(new.since, "since")
    until = None if new.until is None else read_moment(new.until, "until", ends=True)
    if since is not None and until is not None and since > until:
        raise Refused(422, f"until ({new.until}) is before since ({new.since})", "until")
    return derive(Search, new, user=caller.acts_for(new.user), since=since, until=until)
