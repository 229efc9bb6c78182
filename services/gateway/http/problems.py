"""Every error of the HTTP API as RFC 9457 problem details."""

import logging
import math
import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from shared.contract.errors import Poison, Refused, Transient
from shared.contract.events import FILE_PATTERN, SESSION_PATTERN
from shared.process import metrics

log = logging.getLogger(__name__)
_TITLES = {
    400: "The request cannot be read",
    401: "A valid API key is needed",
    403: "Not allowed with this key",
    404: "Not found",
    405: "The method is not allowed here",
    409: "Not possible as things stand",
    413: "The request is too large",
    415: "This is of a kind that is not taken here",
    422: "The request is not valid",
    429: "Too many requests",
    500: "Something broke",
    503: "Not available now",
}
_IN_WORDS = {
    SESSION_PATTERN: "1 to 128 letters, digits and _ . : -",
    FILE_PATTERN: "the id of a file: 1 to 64 letters, digits, _ and -",
}
"""What regular expressions of the contract say, for error messages."""
_FIELD = re.compile(r"at `\$\.?([^`]*)`|field `([^`]+)`")


class OverLimit(Refused):
    """A user has used all that a limit allows. The answer says when there is room again."""

    def __init__(self, detail: str, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(429, f"{detail}; try again in {self.seconds} s")


class ProblemDetails(msgspec.Struct, kw_only=True, frozen=True):
    """RFC 9457. `field` names the part of the request that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    turn_id: str | None = None
    """The turn that is in the way."""
    request_id: str | None = None


def problem(
    request: Request[Any, Any, Any],
    status: int,
    detail: str,
    field: str | None = None,
    turn_id: str | None = None,
) -> Response[ProblemDetails]:
    headers = {"x-request-id": request_id(request)}
    if status == 503:
        headers["retry-after"] = "2"
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(
        problem_of(status, detail, field, turn_id, request_id(request)),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def problem_of(
    status: int,
    detail: str,
    field: str | None = None,
    turn_id: str | None = None,
    request_id: str | None = None,
) -> ProblemDetails:
    title = _TITLES.get(status, "The request was refused")
    return ProblemDetails(
        type="/problems/" + title.lower().replace(" ", "-"),
        title=title,
        status=status,
        detail=detail,
        field=field,
        turn_id=turn_id,
        request_id=request_id,
    )


def request_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get("pandora_request_id", ""))


def invalid(error: msgspec.ValidationError) -> Refused:
    """msgspec's "Expected `str`, got `int` - at `$.input`" becomes 422 with the field `input`."""
    text = str(error)
    match = _FIELD.search(text)
    if text.startswith("Invalid enum value"):
        text += "; /docs lists what it may be"
    for pattern, words in _IN_WORDS.items():
        text = text.replace(f"Expected `str` matching regex {pattern!r}", f"Expected {words}")
    return Refused(422, text, (match.group(1) or match.group(2) or None) if match else None)


def on_refused(request: Request[Any, Any, Any], error: Refused) -> Response[ProblemDetails]:
    return problem(request, error.status, error.detail, error.field)


def on_over_limit(request: Request[Any, Any, Any], error: OverLimit) -> Response[ProblemDetails]:
    response = problem(request, error.status, error.detail, error.field)
    response.headers["retry-after"] = str(error.seconds)
    return response


def on_transient(request: Request[Any, Any, Any], error: Transient) -> Response[ProblemDetails]:
    return problem(request, 503, f"{error}. Nothing is promised; try again in a moment.")


def on_poison(request: Request[Any, Any, Any], error: Poison) -> Response[ProblemDetails]:
    return problem(request, 400, str(error))


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemDetails]:
    extra = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    field = extra.get("key") if isinstance(extra, dict) else None
    status = 422 if isinstance(error, ValidationException) else error.status_code
    detail = str(extra.get("message") or error.detail) if isinstance(extra, dict) else error.detail
    if error.status_code in (404, 405):
        detail = f"{request.method} {request.url.path}: see /docs for what there is"
    if field == "data":  # The parameter of handlers that is the body.
        status, detail, field = 400, "the body is empty; send JSON, as /docs shows it", None
    if error.status_code == 413:
        detail = "the body is larger than is taken here; send less, and upload images with POST /v1/files"
    response = problem(request, status, detail, field)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    metrics.errors.labels("http").inc()
    log.exception("request %s failed", request_id(request), exc_info=error)
    return problem(request, 500, "The gateway failed; its log names this request id.")


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    OverLimit: on_over_limit,
    Refused: on_refused,
    Transient: on_transient,
    Poison: on_poison,
    HTTPException: on_http,
    Exception: on_anything,
}
