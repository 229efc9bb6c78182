"""What routes may answer instead of their result, for the OpenAPI document."""

from litestar.openapi.datastructures import ResponseSpec

from services.gateway.http.problems import ProblemDetails


def refusal(status: int, description: str) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(
            ProblemDetails,
            description=description,
            generate_examples=False,
            media_type="application/problem+json",
        )
    }


REFUSALS = (
    refusal(400, "The request cannot be read")
    | refusal(401, "A valid API key is needed")
    | refusal(403, "The key is valid, and has not the ability of this route")
    | refusal(404, "Not found, or another user's")
    | refusal(413, "Too large")
    | refusal(422, "Not valid; `field` says where")
    | refusal(503, "Not available now; Retry-After says when")
)
CONFLICT = refusal(409, "Not possible as things stand; `turn_id` is the turn that is in the way")


def sent_as(content: type, description: str, media_type: str) -> ResponseSpec:
    """A body that is not JSON."""
    return ResponseSpec(content, description=description, generate_examples=False, media_type=media_type)
