"""The errors of these routes in OpenAI's form: what the other routes say as problem details."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from services.gateway.http.problems import EXCEPTION_HANDLERS, ProblemDetails

_CODES = {(404, "model"): "model_not_found", (401, None): "invalid_api_key"}
"""By status and field: the codes that clients look at."""
_AGAIN = frozenset({429, 503})
"""The statuses after which the same request may succeed."""


class OpenAiError(msgspec.Struct, kw_only=True, frozen=True):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    error: OpenAiError


def error_body(status: int, message: str, param: str | None) -> ErrorBody:
    """Returns the error of a body, or of an event where the status is sent already."""
    code = _CODES.get((status, param))
    return ErrorBody(OpenAiError(message=message, type=_type_of(status), param=param, code=code))


def _type_of(status: int) -> str:
    match status:
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "server_error"


def _in_openai_form(
    handler: Callable[..., Response[ProblemDetails]],
) -> Callable[[Request[Any, Any, Any], Any], Response[ErrorBody]]:
    def answer(request: Request[Any, Any, Any], error: Any) -> Response[ErrorBody]:
        given = handler(request, error)
        problem = given.content
        # OpenAI knows no 422: a request that is not valid is a bad one.
        status = 400 if problem.status == 422 else problem.status
        again = {"x-should-retry": "true" if problem.status in _AGAIN else "false"}
        return Response(
            error_body(problem.status, problem.detail, problem.field),
            status_code=status,
            headers=given.headers | again,
        )

    return answer


IN_OPENAI_FORM = {kind: _in_openai_form(handler) for kind, handler in EXCEPTION_HANDLERS.items()}
"""The `exception_handlers` of a route."""


def _refusal(status: int, description: str) -> dict[int, ResponseSpec]:
    return {status: ResponseSpec(ErrorBody, description=description, generate_examples=False)}


REFUSALS = (
    _refusal(400, "Not valid; `param` says where")
    | _refusal(401, "A valid API key is needed")
    | _refusal(404, "No such model: `code` is `model_not_found`")
    | _refusal(503, "Not available now; Retry-After says when")
)
