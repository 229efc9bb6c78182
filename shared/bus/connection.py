"""The bus: one NATS connection of a process, and what the process does with it.

`publish` stores an event, `emit` sends a live event, `ask` asks another process, `serve` answers. Handlers of
stored events are in `shared.bus.deliveries`.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec
import nats.errors
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js import JetStreamContext

from shared.bus.answering import Answerer
from shared.bus.asking import Asker
from shared.bus.endpoints import Endpoint
from shared.bus.identity import IdentitySettings, connection_as
from shared.bus.publishing import PENDING_BYTES, Outage, Publisher
from shared.contract.errors import Transient
from shared.contract.events import AnyLiveEvent, Event, encode, live_subject
from shared.contract.headers import (
    CE_ID,
    CE_SCHEMA,
    CE_SOURCE,
    CE_TIME,
    CE_TYPE,
    CE_VERSION,
    CONTENT_TYPE,
    MESSAGE_ID,
)
from shared.contract.requests import Request
from shared.process.environment import SettingsError
from shared.process.health import CHECK_SECONDS, Check
from shared.process.tracing import trace_headers

log = logging.getLogger(__name__)
R = TypeVar("R")
L = TypeVar("L", bound=msgspec.Struct)


class BusSettings(IdentitySettings, Protocol):
    """What a connection takes from the settings; `CommonSettings` has it."""

    @property
    def bus_url(self) -> str: ...
    @property
    def request_timeout_seconds(self) -> float: ...
    @property
    def stop_timeout_seconds(self) -> float: ...
    @property
    def publish_retry_seconds(self) -> float: ...


class Bus:
    """One connection. Every wait has a deadline. Where NATS or a service is away, Transient is raised."""

    def __init__(
        self, service: str, broker: NatsBroker, connection: Client, publisher: Publisher, timeout: float
    ) -> None:
        self.service = service
        self.broker = broker
        self.connection = connection
        self.timeout = timeout
        """REQUEST_TIMEOUT_SECONDS."""
        self.jetstream: JetStreamContext = connection.jetstream(timeout=timeout)
        self._publisher = publisher
        self._asker = Asker(connection, publisher, timeout)
        self._answerer = Answerer(connection)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, service: str, settings: BusSettings, *, hold_seconds: float | None = None
    ) -> AsyncIterator["Bus"]:
        """Connects, and goes on trying while no server is there. At the end it drains and closes.

        `service`: one of `shared.bus.rights.IDENTITIES`, by whose seed it connects. Raises SettingsError
        where that cannot be read, or the server does not take it.
        `hold_seconds`: `publish` fails at once in an outage that is older; None: it tries all its time.
        """
        timeout = settings.request_timeout_seconds
        outage = Outage()
        broker = _broker(service, settings, outage)
        try:
            connection = await broker.connect()
        except nats.errors.Error as error:  # While no server is there, it goes on trying.
            if "violation" not in str(error).lower():
                raise
            raise SettingsError(_not_taken(service, settings)) from error
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
            await bus._answerer.drain(settings.stop_timeout_seconds)
            await broker.stop()

    async def check(self) -> None:
        """Raises Transient where the server does not answer."""
        if not self.connection.is_connected:
            raise Transient("NATS is not connected")

    def check_of(self, question: Request[Any]) -> Check:
        """A check that another service answers."""

        async def check() -> None:
            await self.ask(question, timeout=CHECK_SECONDS)

        return check

    # --- storing and sending ---

    async def publish(self, event: Event) -> int:
        """Stores the event and returns its sequence. The same message id again is stored once.

        Raises Transient where it was not stored within PUBLISH_RETRY_SECONDS, and Refused (503) where the
        stream is full.
        """
        headers = {
            MESSAGE_ID: event.message_id,
            CONTENT_TYPE: "application/json",
            CE_VERSION: "1.0",
            CE_ID: event.message_id,
            CE_SOURCE: f"/pandora/{self.service}",
            CE_TYPE: event.ce_type(),
            CE_SCHEMA: event.ce_dataschema(),
            CE_TIME: datetime.now(UTC).isoformat(),
            **trace_headers(),
        }
        return await self.store(event.subject, encode(event), headers)

    async def store(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Like `publish`, for a message that is not an event. Without a `Nats-Msg-Id` it is sent once."""
        return await self._publisher.store(subject, body, headers)

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        """Sends a live event, without waiting until it is stored. Raises Transient."""
        await self._publisher.send(live_subject(turn_id), encode(event))

    async def broadcast(self, subject: str, message: msgspec.Struct) -> None:
        """Sends a message to every subscriber of the subject. Raises Transient."""
        await self._publisher.send(subject, encode(message))

    # --- asking and answering ---

    async def ask(self, request: Request[R], timeout: float | None = None) -> R:
        """Returns the answer. Raises Refused and Transient as the service does.

        Raises Unanswered at once where no process answers, and NoAnswer where no answer comes in time.
        """
        return await self._asker.ask(request, timeout)

    def ask_and_follow(
        self, request: Request[R], sign_of_life: type[L], *, silence_seconds: float
    ) -> AsyncGenerator[L | R, None]:
        """Yields signs of life, then the answer. Raises Transient after `silence_seconds` without either."""
        return self._asker.follow(request, sign_of_life, silence_seconds)

    async def serve(self, description: str, endpoints: Sequence[Endpoint]) -> None:
        """Answers requests, together with the other processes of this service, from now on."""
        await self._answerer.serve(self.service, description, endpoints)

    async def listen(self, subject: str, endpoint: Endpoint) -> None:
        """Answers requests on a subject that only this process has."""
        await self._answerer.listen(subject, endpoint)


class _Broker(NatsBroker):
    """Stops also while no server is there: nats-py can drain only while it is connected."""

    async def stop(self, *error: Any) -> None:
        try:
            await super().stop(*error)
        except (nats.errors.ConnectionReconnectingError, nats.errors.ConnectionClosedError):
            if self._connection is not None:
                with contextlib.suppress(OSError):  # What waits to be sent is lost.
                    await self._connection.close()


def _broker(service: str, settings: BusSettings, outage: Outage) -> NatsBroker:
    stop_timeout = settings.stop_timeout_seconds
    return _Broker(
        settings.bus_url.split(","),
        name=f"pandora-{service}",
        apply_types=False,
        logger=None,
        graceful_timeout=stop_timeout,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        connect_timeout=2,
        ping_interval=10,
        pending_size=PENDING_BYTES,
        **connection_as(service, settings),
        flush_timeout=settings.request_timeout_seconds,
        error_cb=_note_connection_error,
        disconnected_cb=outage.on_lost,
        reconnected_cb=outage.on_back,
        drain_timeout=int(stop_timeout) or 1,
    )


def _not_taken(service: str, settings: BusSettings) -> str:
    return (
        f"NATS at {settings.bus_url} does not take the credentials of {service} in {settings.nats_users}. "
        "Set NATS_USERS_DIR to the folder with those of that server; see docs/nats.md, Credentials."
    )


async def _note_connection_error(error: Exception) -> None:
    text = str(error or type(error).__name__)
    advice = "; see docs/nats.md, Credentials" if "violation" in text.lower() else ""
    log.warning("NATS: %s%s", text, advice)
