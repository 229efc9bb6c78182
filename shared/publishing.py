"""How a message gets stored while servers come and go: the same message id, again, until a deadline.

nats-py asks once. An election of a stream's leader takes 4 to 8 seconds and a restart of a server about as
long, and JetStream stores a message id once (`duplicate_window`), so asking again is safe and is done here.
"""

import asyncio
from collections.abc import Iterator
from time import monotonic

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from shared.errors import Refused, Transient

_STREAM_IS_FULL = (10077, 10167)
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_ATTEMPT_SECONDS = 2.0
"""What was sent to a server just before it died is never answered, and is better sent again soon."""
_NEVER_BETTER = (
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.MaxPayloadError,
    nats.errors.BadSubjectError,
)


class NotNow(Transient):
    """Nothing was stored, or nobody said that it was; the same message may be sent again."""


class Outage:
    """Since when nothing gets stored over one connection. Times are `time.monotonic()`."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.is_silent = False
        """Nobody answers at all; otherwise a server says that it cannot now, as in an election."""

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
    """Stores messages over one connection.

    `hold_seconds` is for a process at whose other end people wait: an outage of silence that is older than
    this, or one of refusals older than `retry_seconds`, is said at once. None: every call has all its time.
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
        self._jetstream = connection.jetstream(timeout=timeout)
        self._outage = outage
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._hold_seconds = hold_seconds
        self._is_probing = False

    async def store(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """The sequence that the message has in its stream.

        Raises Transient where it was not stored in time, and Refused (503) where the stream is full. Without
        a `Nats-Msg-Id` among the headers it is sent once.
        """
        if "Nats-Msg-Id" not in headers:
            return await self._try(subject, body, headers, self._timeout)
        if self._is_known_to_be_away():
            return await self._probe(subject, body, headers)
        until = monotonic() + self._retry_seconds
        timeout = min(self._timeout, _ATTEMPT_SECONDS)
        for pause in _pauses():
            try:
                return await self._try(subject, body, headers, timeout)
            except NotNow:
                left = until - monotonic()
                if left <= 0:
                    raise
            await asyncio.sleep(min(pause, left))
        raise AssertionError("pauses never end")

    def _is_known_to_be_away(self) -> bool:
        if self._hold_seconds is None or self._outage.since is None:
            return False
        hold = self._hold_seconds if self._outage.is_silent else self._retry_seconds
        return monotonic() - self._outage.since > hold

    async def _probe(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """One caller at a time finds out whether the outage is over; the others are told at once."""
        if self._is_probing:
            raise NotNow(f"NATS did not store {subject}: nothing is stored now")
        self._is_probing = True
        try:
            return await self._try(subject, body, headers, self._timeout)
        finally:
            self._is_probing = False

    async def _try(self, subject: str, body: bytes, headers: dict[str, str], timeout: float) -> int:
        # While it is not connected, nats-py would keep the message and send it after we gave it up.
        if not self._connection.is_connected:
            raise NotNow("NATS is not connected")
        begun = monotonic()
        try:
            ack = await self._jetstream.publish(subject, body, headers=headers, timeout=timeout)
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
        return ack.seq

    def _of_api(self, subject: str, error: nats.js.errors.APIError, begun: float) -> Exception:
        """JetStream answered. 503 and 500 are about its state, what is below is about the message."""
        if error.err_code in _STREAM_IS_FULL:
            self._outage.end()
            return Refused(503, "the queue is full; try again in a few seconds")
        reason = f"NATS did not store {subject}: {error.description}"
        if error.code is None or error.code < 500:
            return Transient(reason)
        self._outage.note(begun, is_silent=False)
        return NotNow(reason)


def _pauses() -> Iterator[float]:
    """Seconds: 0.05, 0.1, 0.2 ... 1, 1, 1 ..."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
