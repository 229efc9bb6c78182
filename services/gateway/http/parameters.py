"""Parameters that routes of several rooms take."""

from typing import Annotated, Final

from litestar import Request
from litestar.datastructures import State
from litestar.params import Parameter, SkipValidation

from services.gateway.asking.ports import Ask
from services.gateway.http.callers import Caller
from shared.contract.events import ANY_SESSION_PATTERN


class Call(Request[Caller, None, State]):
    """A request. `request.user` is its caller."""

    __slots__ = ()


InjectedAsk = SkipValidation[Ask]
"""The dependency `ask`. Not validated: a protocol costs a third of what the route does otherwise."""
_ANY_SESSION = Parameter(
    pattern=ANY_SESSION_PATTERN, description="1 to 128 characters without control characters"
)
SessionName = Annotated[str, _ANY_SESSION]
"""Any that a session can have, imported ones too."""
OneSession = Annotated[str | None, _ANY_SESSION]
"""A list of only what is of this session."""
Limit = Annotated[int, Parameter(ge=1, le=100)]
CURSOR_PATTERN: Final = r"^[1-9]\d{0,8}$(?!\n)"
"""Of numbers that PostgreSQL's INTEGER takes: a larger one is of no page."""
Cursor = Annotated[str | None, Parameter(pattern=CURSOR_PATTERN)]
"""A whole number, from the `next_cursor` of the page before."""
