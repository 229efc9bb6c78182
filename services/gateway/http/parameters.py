"""Parameters that routes of several rooms take."""

from typing import Annotated

from litestar import Request
from litestar.datastructures import State
from litestar.params import Parameter, SkipValidation

from services.gateway.asking.ports import Ask
from services.gateway.http.callers import Caller


class Call(Request[Caller, None, State]):
    """A request. `request.user` is its caller."""

    __slots__ = ()


InjectedAsk = SkipValidation[Ask]
"""The dependency `ask`. Not validated: a protocol costs a third of what the route does otherwise."""
Limit = Annotated[int, Parameter(ge=1, le=100)]
Cursor = Annotated[str | None, Parameter(pattern=r"^[1-9]\d{0,17}$(?!\n)")]
"""A whole number, from the `next_cursor` of the page before."""
