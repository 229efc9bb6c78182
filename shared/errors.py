"""The two refusals of a message, and the error that travels back to whoever asked.

A handler that cannot do its work says one of two things: `Transient` (again later) or `Poison` (never). The
bus alone turns that into a negative acknowledgement or a dead letter. A request that cannot be answered
raises `Refused`, which reaches the asking process as it was raised.
"""


class Transient(Exception):
    """Something outside is not there now; try again after `retry_in` seconds."""

    def __init__(self, reason: str, retry_in: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_in = retry_in


class Poison(Exception):
    """This message can never be handled; it goes to `dead.<durable>` with this reason."""


class Refused(Exception):
    """A request was understood and refused. `status` is the HTTP status that says the same."""

    def __init__(self, status: int, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field


class SettingsError(Exception):
    """A setting has a wrong value; the message is one line that names it, its value and what is allowed."""
