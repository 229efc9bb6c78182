"""One turn as it stands in the queue, from the moment it is accepted until it has ended."""

from datetime import datetime
from typing import Generic, Protocol, TypeVar

import msgspec

SessionKey = tuple[str, str]
"""(user, session id). Two users may give their sessions the same id."""


class Request(Protocol):
    """What the queue reads of a request. All else in it belongs to the process that runs the turn."""

    @property
    def turn_id(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def if_busy(self) -> str:
        """`interrupt` and `replace` go before the older turns of the session."""
        ...


R = TypeVar("R", bound=Request)


class Item(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    number: int
    """The sequence in the stream. It rises with every turn."""
    request: R
    requested_at: datetime
    """When the stream stored it."""
    seen_at: float
    """When this process read it, in seconds of its event loop."""
    is_backlog: bool = False
    """The stream held it before this process began to read."""

    @property
    def id(self) -> str:
        return self.request.turn_id

    @property
    def session(self) -> SessionKey:
        return (self.request.user, self.request.session_id)

    @property
    def overtakes(self) -> bool:
        return self.request.if_busy in ("interrupt", "replace")
