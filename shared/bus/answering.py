"""How a process answers requests: as a NATS micro service, so that `nats micro ls` sees it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro import add_service
from nats.micro.request import Request as MicroRequest
from nats.micro.service import EndpointConfig, ServiceConfig

from shared.bus.endpoints import Endpoint
from shared.contract.errors import Poison, Refused, Transient
from shared.contract.events import TurnId, decode, encode
from shared.contract.headers import RETRY_IN
from shared.contract.requests import UNAVAILABLE, Problem
from shared.process import metrics
from shared.process.tracing import context_of, span
from shared.process.version import VERSION

log = logging.getLogger(__name__)
QUEUE_GROUP: Final = "pandora"


class Answerer:
    """Answers the requests of one connection, each in a task of its own.

    nats-py hands over one message of a subscription after another. Without the tasks a request would wait for
    the ones before it.
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, service: str, description: str, endpoints: Sequence[Endpoint]) -> None:
        micro = await add_service(
            self._connection,
            ServiceConfig(
                name=f"pandora-{service}", version=VERSION, description=description, queue_group=QUEUE_GROUP
            ),
        )
        for endpoint in endpoints:
            await micro.add_endpoint(
                EndpointConfig(
                    name=endpoint.subject.removesuffix(".*").replace(".", "-"),
                    subject=endpoint.subject,
                    handler=self._in_a_task(endpoint),
                )
            )
        # The server must know the subscriptions before this process says that it is ready. nats-py's flush
        # sends its PING before what still waits in the client, so that only a second one comes after them.
        await self._connection.flush()
        await self._connection.flush()

    async def listen(self, subject: str, endpoint: Endpoint) -> None:
        start = self._in_a_task(endpoint)

        async def take(message: Msg) -> None:
            await start(MicroRequest(message))

        await self._connection.subscribe(subject, cb=take)

    async def drain(self, timeout: float) -> None:
        """Waits for the requests in hand."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)

    def _in_a_task(self, endpoint: Endpoint) -> Callable[[MicroRequest], Awaitable[None]]:
        async def start(request: MicroRequest) -> None:
            task = asyncio.create_task(_answer(endpoint, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return start


async def _answer(endpoint: Endpoint, request: MicroRequest) -> None:
    subject = endpoint.request.subject

    async def send(message: msgspec.Struct) -> None:
        await request.respond(encode(message))

    result = "answered"
    with (
        metrics.timed(metrics.request_seconds.labels(subject)),
        span(f"process {subject}", context=context_of(request.headers)),
    ):
        try:
            question = _read(endpoint, request)
            parameters = (question, send) if endpoint.takes_send else (question,)
            await send(await endpoint.answer(*parameters))
        except Refused as refusal:
            result = "refused"
            await refuse(request, refusal)
        except Poison as error:
            result = "refused"
            await refuse(request, Refused(400, str(error)))
        except Transient as error:
            result = "unavailable"
            await refuse(request, Refused(UNAVAILABLE, str(error)), {RETRY_IN: f"{error.retry_in:g}"})
        except Exception:
            result = "error"
            metrics.errors.labels(subject).inc()
            log.exception("%s failed", subject)
            await refuse(request, Refused(500, f"{subject} failed; see the logs of its service"))
        finally:
            metrics.requests.labels(subject, result).inc()


def _read(endpoint: Endpoint, request: MicroRequest) -> Any:
    """The turn that the subject names goes before the one that the body names."""
    question = decode(endpoint.request, request.data)
    if not endpoint.request.subject.endswith(".*"):
        return question
    try:
        turn_id = msgspec.convert(request.subject.rpartition(".")[2], TurnId)
    except msgspec.ValidationError as error:
        raise Poison(f"{request.subject} names no turn: {error}") from error
    return msgspec.structs.replace(question, turn_id=turn_id)


async def refuse(request: MicroRequest, refusal: Refused, headers: dict[str, str] | None = None) -> None:
    await request.respond_error(
        str(refusal.status),
        refusal.detail.replace("\n", " ")[:500],
        data=encode(Problem(refusal.detail, refusal.field)),
        headers=headers,
    )
