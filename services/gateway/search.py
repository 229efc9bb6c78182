"""The HTTP API of what is remembered: finding it, and bringing in what was said elsewhere."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.bodies import StrictBody
from services.gateway.domain.dates import BadDate, read_moment
from services.gateway.domain.imports import LineReader
from services.gateway.domain.naming import Naming
from services.gateway.domain.views import Imported, NewSearch, ProblemDetails, SearchResult
from services.gateway.gateway import Gateway
from services.gateway.importing import Imports
from services.gateway.routes import REFUSALS
from shared.errors import Refused
from shared.replies import Search

FORBIDDEN = {
    403: ResponseSpec(
        ProblemDetails,
        description="Another user is named, and the key is not an admin's",
        generate_examples=False,
        media_type="application/problem+json",
    )
}
UNREAD = {
    415: ResponseSpec(
        ProblemDetails,
        description="The body is compressed or a form",
        generate_examples=False,
        media_type="application/problem+json",
    )
}


@post(
    "/search",
    dto=StrictBody[NewSearch],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS | FORBIDDEN,
    summary="What memory holds",
)
async def search(data: NewSearch, gateway: Gateway, user: str, naming: Naming) -> SearchResult:
    if not data.query.strip():
        raise Refused(422, "query is empty; say what to look for", "query")
    since, until = _moment(data.since, "since"), _moment(data.until, "until")
    if since is not None and until is not None and since > until:
        raise Refused(422, f"until ({data.until}) is before since ({data.since})", "until")
    reply = await gateway.ask(
        Search(
            user=naming.user(user, data.user),
            query=data.query,
            limit=data.limit,
            kinds=data.kinds,
            session_id=data.session_id,
            speaker=data.speaker,
            since=since,
            until=until,
            explain=data.explain,
        )
    )
    return SearchResult(hits=reply.hits)


@post(
    "/imports",
    status_code=HTTP_200_OK,
    request_max_body_size=None,  # counted as it comes: IMPORT_LIMIT_BYTES
    responses=REFUSALS | FORBIDDEN | UNREAD,
    summary="Bring in messages that were said elsewhere",
    description="The body is NDJSON, one message a line: `session_id`, `message_id`, `speaker`, `text`; "
    "`at` and `user` may be left out. Answers when every good line is stored. Again, it changes nothing.",
)
async def post_imports(
    request: Request[Any, Any, Any],
    imports: Imports,
    naming: Naming,
    user: str,
    for_user: Annotated[
        str | None,
        QueryParameter(name="user", description="whose the lines without `user` are; for admins"),
    ] = None,
) -> Imported:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "send the body as it is, without Content-Encoding", "Content-Encoding")
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Refused(415, "send the lines as the body itself: curl --data-binary @FILE", "Content-Type")
    reader = LineReader(naming, user, naming.user(user, for_user), datetime.now(UTC))
    announced = request.headers.get("content-length", "")
    return await imports.take(request.stream(), reader, int(announced) if announced.isdecimal() else None)


def _moment(text: str | None, field: str) -> datetime | None:
    try:
        return None if text is None else read_moment(text, ends=field == "until")
    except BadDate as error:
        raise Refused(422, f"{field}: {error}", field) from error


search_routes: list[HTTPRouteHandler] = [
    search,
    post_imports,
]
