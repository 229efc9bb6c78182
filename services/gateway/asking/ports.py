"""The port that all rooms share."""

from typing import Protocol, TypeVar

from shared.contract.requests import Request

R = TypeVar("R")


class Ask(Protocol):
    """Sends a request over the bus and returns its answer."""

    async def __call__(self, request: Request[R], timeout_seconds: float | None = None, /) -> R:
        """Raises Refused, and Transient where no answer comes in time."""
        ...
