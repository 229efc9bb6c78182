"""One request over the bus: how it is answered, and how its answer is read. The bus carries both."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args

import msgspec
from nats.aio.msg import Msg
from nats.micro.request import ERROR_CODE_HEADER
from nats.micro.request import Request as MicroRequest

from shared import metrics
from shared.errors import Poison, Refused, Transient
from shared.events import TurnId, decode, encode
from shared.replies import Request
from shared.tracing import context_of, tracer

log = logging.getLogger(__name__)
R = TypeVar("R")
_UNAVAILABLE = "503"
"""The status that a Transient travels as."""


class Problem(msgspec.Struct, frozen=True):
    """The body of a refused request."""

    detail: str
    field: str | None = None


Send = Callable[[msgspec.Struct], Awaitable[None]]


class Endpoint(msgspec.Struct, frozen=True):
    """A request type and the function that answers it: `await handle(request, send)`.

    What the function returns is the answer; `send` is for signs of life before it.
    """

    kind: type[Request[Any]]
    handle: Callable[[Any, Send], Awaitable[msgspec.Struct]]
    at: str = ""
    """The subject that is listened on, where it is not the one of `kind`."""

    async def reply_to(self, request: MicroRequest) -> None:
        subject = self.kind.subject

        async def send(message: msgspec.Struct) -> None:
            await request.respond(encode(message))

        result = "answered"
        with (
            metrics.timed(metrics.request_seconds.labels(subject)),
            tracer.start_as_current_span(f"process {subject}", context=context_of(request.headers)),
        ):
            try:
                await send(await self.handle(self._read(request), send))
            except Refused as refusal:
                result = "refused"
                await _refuse(request, refusal)
            except Poison as error:
                result = "refused"
                await _refuse(request, Refused(400, str(error)))
            except Transient as error:
                result = "unavailable"
                await _refuse(request, Refused(int(_UNAVAILABLE), str(error)))
            except Exception:
                result = "error"
                metrics.errors.labels(subject).inc()
                log.exception("%s failed", subject)
                await _refuse(request, Refused(500, f"{subject} failed; see the logs of its service"))
            finally:
                metrics.requests.labels(subject, result).inc()

    def _read(self, request: MicroRequest) -> Any:
        """What the subject says about whom it is for goes before what the body says."""
        question = decode(self.kind, request.data)
        if not self.kind.subject.endswith(".*"):
            return question
        try:
            turn_id = msgspec.convert(request.subject.rpartition(".")[2], TurnId)
        except msgspec.ValidationError as error:
            raise Poison(f"{request.subject} names no turn: {error}") from error
        return msgspec.structs.replace(question, turn_id=turn_id)


async def _refuse(request: MicroRequest, refusal: Refused) -> None:
    await request.respond_error(
        str(refusal.status),
        refusal.detail.replace("\n", " ")[:500],
        data=encode(Problem(refusal.detail, refusal.field)),
    )


def read_answer(message: Msg, kind: Any) -> Any:
    """Raises Refused and Transient as the answering process did."""
    status = (message.headers or {}).get(ERROR_CODE_HEADER)
    if status is not None:
        problem = decode(Problem, message.data)
        if status == _UNAVAILABLE:
            raise Transient(problem.detail)
        raise Refused(int(status), problem.detail, problem.field)
    return decode(kind, message.data)


def reply_type(kind: type[Request[R]]) -> type[R]:
    """`class Search(Request[SearchReply])` -> SearchReply."""
    reply: type[R] = get_args(kind.__orig_bases__[0])[0]  # type: ignore[attr-defined]  # set by typing
    return reply
