"""How a process asks another one: a request over core NATS, one answer, and signs of life before it."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro.request import ERROR_CODE_HEADER

from shared.bus.publishing import Publisher
from shared.contract.errors import NoAnswer, Refused, Transient
from shared.contract.events import decode, encode
from shared.contract.headers import RETRY_IN
from shared.contract.requests import UNAVAILABLE, Problem, Request, reply_type
from shared.process.tracing import trace_headers

R = TypeVar("R")
L = TypeVar("L", bound=msgspec.Struct)


class Unanswered(NoAnswer):
    """No process answers the subject now. No process has read the request."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"no process answers {subject} now")
        self.subject = subject


class Asker:
    """Asks over one connection."""

    def __init__(self, connection: Client, publisher: Publisher, timeout: float) -> None:
        self._connection = connection
        self._publisher = publisher
        self._timeout = timeout
        self._arrivals: dict[str, asyncio.Queue[Msg]] = {}
        self._subscribing: asyncio.Task[str] | None = None
        self._numbers = itertools.count()

    async def ask(self, request: Request[R], timeout: float | None) -> R:
        try:
            message = await self._connection.request(
                request.address(), encode(request), timeout=timeout or self._timeout, headers=trace_headers()
            )
        except nats.errors.NoRespondersError as error:
            raise Unanswered(request.subject) from error
        except (nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"no answer to {request.subject} in time") from error
        reply: R = read_answer(message, reply_type(type(request)))
        return reply

    async def follow(
        self, request: Request[R], sign_of_life: type[L], silence_seconds: float
    ) -> AsyncGenerator[L | R, None]:
        answer_type: Any = reply_type(type(request))
        inbox, arrived = await self._open_inbox()
        try:
            await self._publisher.send(
                request.address(), encode(request), reply=inbox, headers=trace_headers()
            )
            while True:
                try:
                    async with asyncio.timeout(silence_seconds):
                        message = await arrived.get()
                except TimeoutError as error:
                    raise Transient(f"no sign of life from {request.subject}") from error
                if message.headers and message.headers.get("Status") == str(UNAVAILABLE):
                    raise Unanswered(request.subject)
                answer = read_answer(message, answer_type | sign_of_life)
                yield answer
                if isinstance(answer, answer_type):
                    return
        finally:
            del self._arrivals[inbox]

    async def _open_inbox(self) -> tuple[str, asyncio.Queue[Msg]]:
        """Its subject and its messages. All inboxes share one subscription, which is made once."""
        if self._subscribing is None or _has_failed(self._subscribing):
            self._subscribing = asyncio.create_task(self._subscribe())
        prefix = await asyncio.shield(self._subscribing)
        inbox, arrived = f"{prefix}.{next(self._numbers)}", asyncio.Queue[Msg]()
        self._arrivals[inbox] = arrived
        return inbox, arrived

    async def _subscribe(self) -> str:
        async def take(message: Msg) -> None:
            if (arrived := self._arrivals.get(message.subject)) is not None:
                arrived.put_nowait(message)

        prefix: str = self._connection.new_inbox()
        await self._connection.subscribe(f"{prefix}.*", cb=take)
        return prefix


def read_answer(message: Msg, kind: Any) -> Any:
    """Raises Refused and Transient as the answering process did."""
    headers = message.headers or {}
    status = headers.get(ERROR_CODE_HEADER)
    if status is None:
        return decode(kind, message.data)
    problem = decode(Problem, message.data)
    if int(status) == UNAVAILABLE:
        raise Transient(problem.detail, retry_in=_retry_in(headers.get(RETRY_IN, "")))
    raise Refused(int(status), problem.detail, problem.field)


def _retry_in(seconds: str) -> float:
    """What an earlier version of a service does not say is a second."""
    try:
        return float(seconds)
    except ValueError:
        return 1.0


def _has_failed(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
