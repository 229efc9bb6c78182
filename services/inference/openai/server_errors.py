"""What a server says where it gives no answer: in the body of a refusal, or in the middle of a stream."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import msgspec

from shared.contract.events import UNREADABLE

LATER = frozenset({408, 425, 429})
"""And all from 500 on: another try may be answered."""
_UNPAID = frozenset({408, 425, 429, 503, 529})
"""The server did not begin to answer. Of all else from 500 on it may have charged for the request."""
_NO_REASON = "no reason given"
_STATUSES = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded_error": 503,
    "invalid_request_error": 400,
}
_USED_UP = re.compile(r"quota|billing|balance|credit|payment", re.IGNORECASE)
_SAYS_USED_UP = re.compile(
    r"current quota|insufficient (quota|balance|credit)|billing|credit balance", re.IGNORECASE
)
_LONGEST_REASON = 300


class Reason(msgspec.Struct, frozen=True):
    """An error in the server's words."""

    message: str
    code: str = ""
    """Its codes and types. One is mostly the HTTP status that fits."""

    @property
    def status(self) -> int:
        """500 where the server does not say."""
        for word in self.code.split():
            status = int(word) if word.isdecimal() else _STATUSES.get(word, 0)
            if 400 <= status <= 599:
                return status
        return 500

    def is_used_up(self, retry_after: float) -> bool:
        """The money or the quota of the account is gone, and waiting does not help.

        Some servers call a limit per minute a quota as well: those say when to come again.
        """
        by_words = retry_after == 0 and _SAYS_USED_UP.search(self.message)
        return bool(_USED_UP.search(self.code) or by_words)


class ServerError(Exception):
    """The server ended its stream with an error."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


def may_be_paid(status: int) -> bool:
    """Whether the server may have charged for a request that it answered so."""
    return status >= 500 and status not in _UNPAID


def reason_of(body: bytes) -> Reason:
    """Of the body of a refusal, in any of the usual forms."""
    text = body.decode(errors="replace").strip()[:_LONGEST_REASON]
    return error_in(body) or Reason(text or _NO_REASON)


def error_in(body: bytes) -> Reason | None:
    """None where the body is no JSON, or has no error in it."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return None
    error = found.get("error") or found.get("detail")
    if error is None and found.get("object") == "error":
        error = found
    return _reason(error) if error else None


def _reason(error: Any) -> Reason:
    if not isinstance(error, dict):
        return Reason(str(error)[:_LONGEST_REASON])
    codes = (error.get(name) for name in ("code", "type", "status"))
    message = error.get("message") or _NO_REASON
    return Reason(str(message)[:_LONGEST_REASON], " ".join(str(code) for code in codes if code is not None))


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that the server asks to wait, from `Retry-After` as a number or a date; 0 where it does not."""
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now)
    return max(0.0, seconds) if isfinite(seconds) else 0.0


def _seconds_until(date: str, now: datetime) -> float:
    try:
        return max(0.0, (parsedate_to_datetime(date) - now).total_seconds())
    except (ValueError, TypeError):  # No date, or one without a time zone.
        return 0.0
