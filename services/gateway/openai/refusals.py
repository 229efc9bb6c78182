"""The refusals of these routes: in OpenAI's form what the other routes say as problem details."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from services.gateway.http.problems import EXCEPTION_HANDLERS, ProblemDetails
from services.gateway.openai.errors import ErrorBody, error_body

_AGAIN = frozenset({429, 503})
"""The statuses after which the same request may succeed."""


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
    | _refusal(403, "The key is valid, and has not the ability of this route")
    | _refusal(404, "No such model: `code` is `model_not_found`")
    | _refusal(503, "Not available now; Retry-After says when")
)
