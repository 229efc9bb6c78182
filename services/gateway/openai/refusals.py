"""The refusals of these routes: in OpenAI's form what the other routes say as problem details."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from services.gateway.http.problems import EXCEPTION_HANDLERS, ProblemDetails
from services.gateway.openai.errors import ErrorBody, error_body

_AGAIN = frozenset({429, 503})
"""The statuses after which the same request may succeed."""


def in_openai_form(*, input_name: str) -> dict[int | type[Exception], Any]:
    """Returns the `exception_handlers` of a route, which calls the input of a turn by this name."""
    return {kind: _answering(handler, input_name) for kind, handler in EXCEPTION_HANDLERS.items()}


def _answering(
    handler: Callable[..., Response[ProblemDetails]], input_name: str
) -> Callable[[Request[Any, Any, Any], Any], Response[ErrorBody]]:
    def answer(request: Request[Any, Any, Any], error: Any) -> Response[ErrorBody]:
        given = handler(request, error)
        problem = given.content
        field = input_name if problem.field == "input" else problem.field
        # OpenAI knows no 422: a request that is not valid is a bad one.
        status = 400 if problem.status == 422 else problem.status
        again = {"x-should-retry": "true" if problem.status in _AGAIN else "false"}
        return Response(
            error_body(problem.status, problem.detail, field),
            status_code=status,
            headers=given.headers | again,
        )

    return answer


IN_OPENAI_FORM = in_openai_form(input_name="messages")


def _refusal(status: int, description: str) -> dict[int, ResponseSpec]:
    return {status: ResponseSpec(ErrorBody, description=description, generate_examples=False)}


REFUSALS = (
    _refusal(400, "Not valid; `param` says where")
    | _refusal(401, "A valid API key is needed")
    | _refusal(403, "The key is valid, and has not the ability of this route")
    | _refusal(404, "No such model: `code` is `model_not_found`")
    | _refusal(503, "Not available now; Retry-After says when")
)
