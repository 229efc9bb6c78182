"""Errors in OpenAI's form."""

import msgspec

_CODES = {
    (404, "model"): "model_not_found",
    (404, "previous_response_id"): "previous_response_not_found",
    (401, None): "invalid_api_key",
}
"""By status and field: the codes that clients look at."""


class OpenAiError(msgspec.Struct, kw_only=True, frozen=True):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    error: OpenAiError


def error_body(status: int, message: str, field: str | None) -> ErrorBody:
    """Returns the error of a body, or of an event where the status is sent already."""
    return ErrorBody(
        OpenAiError(
            message=message,
            type=_type_of(status),
            param=field,
            code=_CODES.get((status, field)),
        )
    )


def _type_of(status: int) -> str:
    match status:
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "server_error"
