"""How messages leave a process: sent once, or stored, with the same message id again until a deadline.

nats-py asks JetStream once. An election of a stream's leader takes 4 to 8 seconds, and a restart of a server
about as long. JetStream stores a message id once (`duplicate_window`), so it is safe to ask again.
"""

from time import monotonic
from typing import Any, Final

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from tenacity import wait_exponential

from shared.bus.storing import store_once
from shared.contract.errors import Refused, Transient
from shared.process.retrying import Retry

PENDING_BYTES: Final = 8 * 1024 * 1024
"""How much waits to be sent while no server is there: some ten seconds of 64 streaming turns."""
_STREAM_IS_FULL = (10077, 10167)
_PAUSES = wait_exponential(multiplier=0.05, max=1.0)
"""Seconds: 0.05, 0.1, 0.2 ... 1, 1, 1 ..."""
_ATTEMPT_SECONDS = 2.0
"""A server that dies does not answer what it got last. It has to be sent again soon."""
_NEVER_BETTER = (
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.MaxPayloadError,
    nats.errors.BadSubjectError,
)


class NotNow(Transient):
    """No answer says that the message was stored. It may be sent again."""


class Outage:
    """Since when nothing gets stored over one connection. Times are `time.monotonic()`."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.is_silent = False
        """True: no server answers. False: a server answers that it cannot store now, as in an election."""

    def note(self, since: float, *, is_silent: bool) -> None:
        self.since = since if self.since is None else self.since
        self.is_silent = is_silent

    def end(self) -> None:
        self.since = None

    async def on_lost(self) -> None:
        self.note(monotonic(), is_silent=True)

    async def on_back(self) -> None:
        self.end()


class Publisher:
    """Sends and stores messages over one connection.

    `hold_seconds` is for a process that people wait for. It fails at once in a silent outage that is older
    than this, and in an outage of refusals that is older than `retry_seconds`. None: every call has all its
    time.
    """

    def __init__(
        self,
        connection: Client,
        outage: Outage,
        *,
        timeout: float,
        retry_seconds: float,
        hold_seconds: float | None = None,
    ) -> None:
        self._connection = connection
        self._outage = outage
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._hold_seconds = hold_seconds
        self._is_probing = False

    async def send(self, subject: str, body: bytes, **more: Any) -> None:
        """Sends a message without waiting for an answer. Raises Transient where it cannot be sent.

        While no server is there, up to PENDING_BYTES wait here and are sent when one is back.
        """
        try:
            await self._connection.publish(subject, body, **more)
        except nats.errors.OutboundBufferLimitError as error:
            raise Transient(
                f"{subject} cannot be sent: NATS is away, and {PENDING_BYTES} bytes wait for it"
            ) from error
        except nats.errors.Error as error:
            raise Transient(f"{subject} cannot be sent: {error or type(error).__name__}") from error

    async def store(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Returns the sequence of the message in its stream.

        Raises Transient where it was not stored in time, and Refused (503) where the stream is full. Without
        a `Nats-Msg-Id` in the headers it is sent once.
        """
        if "Nats-Msg-Id" not in headers:
            return await self._try(subject, body, headers, self._timeout)
        if self._is_known_to_be_away():
            return await self._probe(subject, body, headers)
        until = monotonic() + self._retry_seconds
        retry = Retry(
            on=NotNow,
            wait=lambda state: min(_PAUSES(state), max(0.0, until - monotonic())),
            stop=lambda _: monotonic() >= until,
        )
        return await retry(self._try, subject, body, headers, min(self._timeout, _ATTEMPT_SECONDS))

    def _is_known_to_be_away(self) -> bool:
        if self._hold_seconds is None or self._outage.since is None:
            return False
        hold = self._hold_seconds if self._outage.is_silent else self._retry_seconds
        return monotonic() - self._outage.since > hold

    async def _probe(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """One caller at a time finds out whether the outage is over. The others fail at once."""
        if self._is_probing:
            raise NotNow(f"NATS did not store {subject}: nothing is stored now")
        self._is_probing = True
        try:
            return await self._try(subject, body, headers, self._timeout)
        finally:
            self._is_probing = False

    async def _try(self, subject: str, body: bytes, headers: dict[str, str], timeout: float) -> int:
        # Without a connection nats-py would keep the message and send it later, after we gave it up.
        if not self._connection.is_connected:
            raise NotNow("NATS is not connected")
        begun = monotonic()
        try:
            sequence = await store_once(self._connection, subject, body, headers, timeout)
        except nats.js.errors.APIError as error:
            raise self._of_api(subject, error, begun) from error
        except (nats.errors.Error, TimeoutError) as error:
            reason = f"NATS did not store {subject}: {error or type(error).__name__}"
            if isinstance(error, _NEVER_BETTER):
                raise Transient(reason) from error
            answered = isinstance(error, nats.js.errors.NoStreamResponseError)
            self._outage.note(begun, is_silent=not answered)
            raise NotNow(reason) from error
        self._outage.end()
        return sequence

    def _of_api(self, subject: str, error: nats.js.errors.APIError, begun: float) -> Exception:
        """The error for an answer of JetStream: from 500 on it is about its state, else about the message."""
        if error.err_code in _STREAM_IS_FULL:
            self._outage.end()
            return Refused(503, "the queue is full; try again in a few seconds")
        reason = f"NATS did not store {subject}: {error.description}"
        if error.code is None or error.code < 500:
            return Transient(reason)
        self._outage.note(begun, is_silent=False)
        return NotNow(reason)
