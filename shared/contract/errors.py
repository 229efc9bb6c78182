"""The two refusals of a message, and the error that travels back to the process that asked.

A handler that cannot do its work raises one of two: `Transient` (again later) or `Poison` (never). The bus
alone turns that into a negative acknowledgement or a dead letter. A request that is refused raises
`Refused`. It reaches the asking process as it was raised.
"""


class Transient(Exception):
    """Something outside is away now. Try again after `retry_in` seconds."""

    def __init__(self, reason: str, retry_in: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_in = retry_in


class NoAnswer(Transient):
    """No process has answered: none is there, or none in time. To ask it something else takes as long."""


class Poison(Exception):
    """This message can never be handled. It goes to `dead.<durable>` with this reason."""


class Refused(Exception):
    """A request was understood and refused. `status` is the HTTP status that says the same."""

    def __init__(self, status: int, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
