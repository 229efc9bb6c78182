"""Endpoints: the methods of a process that answer requests over the bus.

    class Memories:
        @endpoint
        async def save(self, request: SaveMemory) -> Memory: ...

The annotation of the first parameter says which requests the method answers. Where the request has signs of
life, the method can have a second parameter, `send: Send[StillChecking]`, and send them before its answer.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import msgspec

from shared.contract.requests import Request, reply_type

L = TypeVar("L", bound=msgspec.Struct)
M = TypeVar("M", bound=Callable[..., Awaitable[msgspec.Struct]])
Send: TypeAlias = Callable[[L], Awaitable[None]]
"""Sends a sign of life, a message of type L, to the process that asked."""
_MARK = "is_endpoint"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One request type and the function that answers it."""

    request: type[Request[Any]]
    answer: Callable[..., Awaitable[msgspec.Struct]]
    takes_send: bool = False
    """`answer` has the parameter `send`."""
    at: str = ""
    """The subject that is listened on, where it is not the one of `request`."""

    @property
    def subject(self) -> str:
        return self.at or self.request.subject

    @property
    def reply(self) -> type[msgspec.Struct]:
        return reply_type(self.request)

    @property
    def description(self) -> str:
        """One text for people: what the request asks for, then what the method adds to that."""
        texts = (inspect.getdoc(self.request), inspect.getdoc(self.answer))
        return "\n\n".join(text for text in texts if text)


def endpoint(method: M) -> M:
    """Declares a method as an endpoint. Raises TypeError where its parameters do not say what it answers."""
    endpoint_of(method)
    setattr(method, _MARK, True)
    return method


def endpoint_of(function: Callable[..., Awaitable[msgspec.Struct]], *, at: str = "") -> Endpoint:
    """The endpoint that a function or a bound method is; see the head of this file for its parameters."""
    parameters = inspect.signature(function).parameters
    annotations = [one.annotation for name, one in parameters.items() if name != "self"]
    request, *others = annotations or [None]
    if not (isinstance(request, type) and issubclass(request, Request)):
        raise TypeError(f"{function.__qualname__}: annotate its first parameter with a type of request")
    if others:
        _check_send(function.__qualname__, request, others)
    return Endpoint(request=request, answer=function, takes_send=bool(others), at=at)


def _check_send(name: str, request: type[Request[Any]], others: list[Any]) -> None:
    if request.sign_of_life is None:
        raise TypeError(
            f"{name}: {request.__name__} has no signs of life; remove the second parameter, or give the "
            "request a `sign_of_life`"
        )
    send: Any = Send
    if others != [send[request.sign_of_life]]:
        raise TypeError(
            f"{name}: its second parameter is Send[{request.sign_of_life.__name__}], and there is no third"
        )


def endpoints_of(*owners: object) -> list[Endpoint]:
    """The declared endpoints of objects. Of a class it tells what its objects answer, and cannot answer."""
    return [endpoint_of(getattr(owner, name)) for owner in owners for name in _names_of_endpoints(owner)]


def _names_of_endpoints(owner: object) -> list[str]:
    kind = owner if isinstance(owner, type) else type(owner)
    return [name for name in dir(kind) if hasattr(getattr(kind, name), _MARK)]
