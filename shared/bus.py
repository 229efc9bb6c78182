"""The bus: one NATS connection of a process, and the four things that it does with it.

`publish` stores an event, `emit` sends a live event, `ask` asks another process, `serve` answers. How long a
publish is tried is in `shared/publishing.py`, handlers of stored events are in `shared/deliveries.py`.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec
import nats.errors
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.micro import add_service
from nats.micro.request import Request as MicroRequest
from nats.micro.service import EndpointConfig, ServiceConfig

from shared.endpoints import Endpoint, read_answer, reply_type
from shared.errors import Transient
from shared.events import AnyLiveEvent, Event, encode, live_subject
from shared.publishing import Outage, Publisher
from shared.replies import Request
from shared.tracing import trace_headers

log = logging.getLogger(__name__)
R = TypeVar("R")
Q = TypeVar("Q", bound=msgspec.Struct)

VERSION = "0.1.0"
QUEUE_GROUP = "pandora"
_PENDING_BYTES = 8 * 1024 * 1024
"""What is kept to be sent while no server is there: some ten seconds of 64 streaming turns."""


class BusSettings(Protocol):
    """What a connection takes from the settings; `CommonSettings` has it."""

    @property
    def bus_url(self) -> str: ...
    @property
    def request_timeout_seconds(self) -> float: ...
    @property
    def stop_timeout_seconds(self) -> float: ...
    @property
    def publish_retry_seconds(self) -> float: ...


class _Broker(NatsBroker):
    """Stops also while no server is there: nats-py drains only a connection that stands."""

    async def stop(self, *error: Any) -> None:
        try:
            await super().stop(*error)
        except (nats.errors.ConnectionReconnectingError, nats.errors.ConnectionClosedError):
            if self._connection is not None:
                with contextlib.suppress(OSError):  # What was still to be sent has nowhere to go.
                    await self._connection.close()


class Bus:
    """One connection. Every wait has a deadline; what is not reachable is `Transient`."""

    def __init__(
        self, service: str, broker: NatsBroker, connection: Client, publisher: Publisher, timeout: float
    ) -> None:
        self.service = service
        self.broker = broker
        self.connection = connection
        self.jetstream: JetStreamContext = connection.jetstream(timeout=timeout)
        self._publisher = publisher
        self._timeout = timeout
        self._answering: set[asyncio.Task[None]] = set()
        self._following: dict[str, asyncio.Queue[Msg]] = {}
        self._inboxes: asyncio.Task[str] | None = None
        self._numbers = itertools.count()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, service: str, settings: BusSettings, *, hold_seconds: float | None = None
    ) -> AsyncIterator["Bus"]:
        """Connects, and goes on trying while no server is there; drains and closes at the end.

        `hold_seconds`: an outage older than this is said at once by `publish`; None: it tries all its time.
        """
        timeout, stop_timeout = settings.request_timeout_seconds, settings.stop_timeout_seconds
        outage = Outage()
        broker = _Broker(
            settings.bus_url.split(","),
            name=f"pandora-{service}",
            apply_types=False,
            logger=None,
            graceful_timeout=stop_timeout,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=2,
            ping_interval=10,
            pending_size=_PENDING_BYTES,
            flush_timeout=timeout,
            error_cb=_note_connection_error,
            disconnected_cb=outage.on_lost,
            reconnected_cb=outage.on_back,
            drain_timeout=int(stop_timeout) or 1,
        )
        connection = await broker.connect()
        publisher = Publisher(
            connection,
            outage,
            timeout=timeout,
            retry_seconds=settings.publish_retry_seconds,
            hold_seconds=hold_seconds,
        )
        bus = cls(service, broker, connection, publisher, timeout)
        try:
            yield bus
        finally:
            if bus._answering:
                await asyncio.wait(bus._answering, timeout=stop_timeout)
            await broker.stop()

    async def check(self) -> None:
        """Raises Transient where the server does not answer."""
        if not self.connection.is_connected:
            raise Transient("NATS is not connected")

    # --- storing and sending ---

    async def publish(self, event: Event) -> int:
        """Stores the event and returns its sequence; the same message id again returns the first one's.

        Raises Transient where it was not stored within PUBLISH_RETRY_SECONDS, and Refused (503) where the
        stream takes no more.
        """
        headers = {
            "Nats-Msg-Id": event.message_id,
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": event.message_id,
            "ce-source": f"/pandora/{self.service}",
            "ce-type": event.ce_type(),
            "ce-dataschema": event.ce_dataschema(),
            "ce-time": datetime.now(UTC).isoformat(),
            **trace_headers(),
        }
        return await self.store(event.subject, encode(event), headers)

    async def store(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Like `publish`, for a message that is no event. Without a `Nats-Msg-Id` it is sent once."""
        return await self._publisher.store(subject, body, headers)

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        """Sends a live event; nobody waits for it to be stored. Raises Transient where it cannot be sent."""
        await self._send(live_subject(turn_id), encode(event))

    async def broadcast(self, subject: str, message: msgspec.Struct) -> None:
        """Raises Transient where it cannot be sent."""
        await self._send(subject, encode(message))

    async def _send(self, subject: str, body: bytes, **more: Any) -> None:
        """While no server is there, messages are kept, up to _PENDING_BYTES, and sent when one is back."""
        try:
            await self.connection.publish(subject, body, **more)
        except nats.errors.OutboundBufferLimitError as error:
            raise Transient(f"{subject} cannot be sent: NATS is away, and much waits for it") from error
        except nats.errors.Error as error:
            raise Transient(f"{subject} cannot be sent: {error or type(error).__name__}") from error

    # --- asking ---

    async def ask(self, request: Request[R], timeout: float | None = None) -> R:
        """Raises Refused and Transient as the answering process does, and Transient where none answers."""
        try:
            message = await self.connection.request(
                request.address(), encode(request), timeout=timeout or self._timeout, headers=trace_headers()
            )
        except nats.errors.NoRespondersError as error:
            raise Transient(f"nobody answers {request.subject} now") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise Transient(f"no answer to {request.subject} in time") from error
        reply: R = read_answer(message, reply_type(type(request)))
        return reply

    async def ask_and_follow(
        self, request: Request[R], sign_of_life: type[Q], *, silence_seconds: float
    ) -> AsyncGenerator[Q | R, None]:
        """Yields signs of life, then the answer. Raises Transient after `silence_seconds` without either."""
        answer_type: Any = reply_type(type(request))
        inbox, arrived = await self._followed()
        try:
            await self._send(request.address(), encode(request), reply=inbox, headers=trace_headers())
            while True:
                try:
                    async with asyncio.timeout(silence_seconds):
                        message = await arrived.get()
                except TimeoutError as error:
                    raise Transient(f"no sign of life from {request.subject}") from error
                if message.headers and message.headers.get("Status") == "503":
                    raise Transient(f"nobody answers {request.subject} now")
                answer = read_answer(message, answer_type | sign_of_life)
                yield answer
                if isinstance(answer, answer_type):
                    return
        finally:
            del self._following[inbox]

    async def _followed(self) -> tuple[str, asyncio.Queue[Msg]]:
        """An inbox and where its messages arrive. All are behind one subscription, which costs once."""
        if self._inboxes is None or _has_failed(self._inboxes):
            self._inboxes = asyncio.create_task(self._subscribe_inboxes())
        prefix = await asyncio.shield(self._inboxes)
        inbox, arrived = f"{prefix}.{next(self._numbers)}", asyncio.Queue[Msg]()
        self._following[inbox] = arrived
        return inbox, arrived

    async def _subscribe_inboxes(self) -> str:
        async def hand_over(message: Msg) -> None:
            if (arrived := self._following.get(message.subject)) is not None:
                arrived.put_nowait(message)

        prefix: str = self.connection.new_inbox()
        await self.connection.subscribe(f"{prefix}.*", cb=hand_over)
        return prefix

    # --- answering ---

    async def serve(self, description: str, endpoints: Sequence[Endpoint]) -> None:
        """Registers this process as a NATS micro service, so that `nats micro ls` sees it.

        Requests are answered side by side: each runs in a task of its own, since nats-py hands one
        subscription's messages over one after another.
        """
        service = await add_service(
            self.connection,
            ServiceConfig(
                name=f"pandora-{self.service}",
                version=VERSION,
                description=description,
                queue_group=QUEUE_GROUP,
            ),
        )
        for endpoint in endpoints:
            subject = endpoint.at or endpoint.kind.subject
            await service.add_endpoint(
                EndpointConfig(
                    name=subject.removesuffix(".*").replace(".", "-"),
                    subject=subject,
                    handler=self._in_a_task(endpoint),
                )
            )
        # The server must know before anybody is told "ready". nats-py's flush sends its PING ahead of what
        # still waits in the client, so that only a second one comes behind the subscriptions.
        await self.connection.flush()
        await self.connection.flush()

    async def listen(self, subject: str, endpoint: Endpoint) -> None:
        """Answers on a subject that is this process's own, beside what `serve` shares with its replicas."""
        start = self._in_a_task(endpoint)

        async def hand_over(message: Msg) -> None:
            await start(MicroRequest(message))

        await self.connection.subscribe(subject, cb=hand_over)

    def _in_a_task(self, endpoint: Endpoint) -> Callable[[MicroRequest], Awaitable[None]]:
        async def start(request: MicroRequest) -> None:
            task = asyncio.create_task(endpoint.reply_to(request))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        return start


def _has_failed(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _note_connection_error(error: Exception) -> None:
    log.warning("NATS: %s", error or type(error).__name__)
