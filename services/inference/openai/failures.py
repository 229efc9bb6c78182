"""What a failure of the server means for the generation: another try, or a refusal that says what to do."""

import aiohttp

from services.inference.openai.attempts import AnotherTry
from services.inference.openai.events import NotAnAnswer
from services.inference.openai.server_errors import LATER, Reason, ServerError, may_be_paid
from shared.contract.errors import Refused

_BAD_KEY = frozenset({401, 403})
_NO_MONEY = 402
_NO_SUCH_PLACE = frozenset({404, 405})


def failure_of(error: Exception, url: str, pieces: int) -> Exception:
    """`pieces`: how much of the answer there was. It is never tried again after that: the reader has it."""
    is_silent = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)
    if pieces:
        what = "fell silent" if is_silent else f"broke off ({error or type(error).__name__})"
        return Refused(504 if is_silent else 502, f"{url} {what} after {pieces} tokens")
    if isinstance(error, NotAnAnswer):
        return Refused(502, f"{url} answers with what is no chat completion: {error}. {_is_it_right(url)}")
    if isinstance(error, ServerError):
        return failure_of_status(error.reason.status, error.reason, url)
    if is_silent:  # Not tried again: a server that is this late is overloaded already, and may still answer.
        return Refused(504, f"no first token from {url} within OPENAI_FIRST_TOKEN_TIMEOUT_SECONDS")
    is_unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return AnotherTry(f"{url} failed: {error or type(error).__name__}", may_be_paid=not is_unsent)


def failure_of_status(status: int, reason: Reason, url: str, after: float = 0.0) -> Exception:
    """`after`: seconds that the server asks to wait."""
    if status == _NO_MONEY or reason.is_used_up(after):
        return Refused(502, f"the quota or credit of the account at {url} is used up: {reason.message}")
    if status in LATER or status >= 500:
        asks = f" (asks to wait {after:g} s)" if after else ""
        words = f"{url} answers {status}{asks}: {reason.message}"
        return AnotherTry(words, may_be_paid=may_be_paid(status), after=after)
    if status in _BAD_KEY:
        # Not passed on as 401 or 403: the user would think that their own key is wrong.
        return Refused(502, f"the model server does not accept OPENAI_API_KEY: {reason.message}")
    if status < 400 or (status in _NO_SUCH_PLACE and "model" not in reason.message.lower()):
        return Refused(502, f"{url} answers {status}: {reason.message}. {_is_it_right(url)}")
    return Refused(status, reason.message, "model" if status == 404 else None)


def _is_it_right(url: str) -> str:
    return f"Is OPENAI_BASE_URL={url} right? Most servers need /v1 at its end"
