"""Reads a stream from its beginning and on as it grows, through restarts of the server and lost connections.

For readers that all want every message and keep nothing on the server. An ephemeral push consumer without
acknowledgements delivers the messages. It is made again, after the last message that arrived, where it falls
silent or skips one.

nats-py 2.16 has an ordered consumer for this: `subscribe(ordered_consumer=True)`. It was tried with the tests
of `tests/contracts/bus/test_tail.py`, would save some fifty lines here, and is not used:
- `..._messages_that_the_client_drops_are_read_again` fails. nats-py counts a message as read before it drops
  it, where too many wait, and never asks for it again.
- `..._a_stream_that_was_made_anew_...` and `..._a_server_that_lost_its_store_...` fail. It waits for the next
  number of the old stream for ever. A loop of ours has to ask for the stream every second as well.
- It does not notice that the connection is a new one, only that two heartbeats are missing. After a restart
  of the server its next message came after 4.2 s, or 2.2 s with twice the heartbeats; here it is 1.7 s.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from shared.bus.connection import Bus

log = logging.getLogger(__name__)
_HEARTBEAT_SECONDS = 1.0
_SILENCE_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_PAUSE_SECONDS = 0.25
_A_STATUS = "100"


class Tail:
    """Calls `take` with each message of `subject` once, in the stream's order.

    Sets `caught_up` when all are read.

    `lost` is called where the stream was made anew: it holds nothing more of what was taken. `missing` is
    awaited where the server has no such stream.
    """

    def __init__(
        self,
        bus: Bus,
        stream: str,
        *,
        subject: str = ">",
        take: Callable[[Msg], None],
        lost: Callable[[], None],
        missing: Callable[[], Awaitable[None]],
        headers_only: bool = False,
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._take = take
        self._lost = lost
        self._missing = missing
        self._headers_only = headers_only
        self._last = 0
        self._created: object = None
        self._consumer: str | None = None
        self._delivered = 0
        """Messages that this consumer has brought."""
        self.caught_up = asyncio.Event()
        self.is_current = False
        """All was read that the stream holds, and what it takes now comes here by itself."""

    async def is_behind(self) -> bool:
        """True where the stream may hold what was not taken yet, also where the server does not answer."""
        if self._consumer is None:
            return True
        try:
            info = await self._bus.jetstream.consumer_info(self._stream, self._consumer)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
            return True
        on_its_way = info.delivered is not None and info.delivered.consumer_seq > self._delivered
        return bool(info.num_pending) or on_its_way

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except NotFoundError:
                log.warning("NATS has no stream %s; declaring it", self._stream)
                with contextlib.suppress(Exception):  # Tried again as long as it is missing.
                    await self._missing()
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
                log.info("reading %s anew: %s", self._stream, error or type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        """Raises TimeoutError where the server falls silent."""
        await self._check_history()
        arrived: asyncio.Queue[Msg] = asyncio.Queue()

        async def put(message: Msg) -> None:
            arrived.put_nowait(message)

        connection = self._bus.connection
        inbox = connection.new_inbox()
        subscription = await connection.subscribe(inbox, cb=put)
        self._delivered = 0
        try:
            consumer = await self._bus.jetstream.add_consumer(self._stream, self._config(inbox))
            self._consumer = consumer.name
            if not consumer.num_pending:
                self._note_caught_up()
            await self._read(arrived)
        finally:
            self._consumer, self.is_current = None, False
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _note_caught_up(self) -> None:
        self.caught_up.set()
        self.is_current = True

    async def _check_history(self) -> None:
        info = await self._bus.jetstream.stream_info(self._stream)
        if info.created != self._created and self._created is not None:
            log.warning("%s was made anew: reading it from its beginning", self._stream)
            self._last = 0
            self._lost()
        self._created = info.created

    def _config(self, inbox: str) -> ConsumerConfig:
        return ConsumerConfig(
            deliver_subject=inbox,
            filter_subject=None if self._subject == ">" else self._subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._last + 1,
            ack_policy=AckPolicy.NONE,
            idle_heartbeat=_HEARTBEAT_SECONDS,
            flow_control=True,
            headers_only=self._headers_only or None,
            inactive_threshold=10.0,
            mem_storage=True,
            num_replicas=1,
        )

    @property
    def _reconnects(self) -> int:
        return int(self._bus.connection.stats["reconnects"])

    async def _read(self, arrived: asyncio.Queue[Msg]) -> None:
        clock = asyncio.get_running_loop().time
        reconnects, heard_at = self._reconnects, clock()
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    message = await arrived.get()
            except TimeoutError:
                # A server that was started again does not know the consumer.
                if self._reconnects != reconnects or clock() - heard_at > _SILENCE_SECONDS:
                    raise
                continue
            heard_at = clock()
            headers = message.headers or {}
            if headers.get("Status") == _A_STATUS:
                if message.reply:  # Flow control: the server waits for this before it sends more.
                    await message.respond(b"")
                elif stalled := headers.get("Nats-Consumer-Stalled"):
                    await self._bus.connection.publish(stalled, b"")
                elif int(headers.get("Nats-Last-Consumer", self._delivered)) != self._delivered:
                    return  # Some were lost on their way.
                continue
            metadata = message.metadata
            if metadata.sequence.consumer != self._delivered + 1:
                return
            self._delivered += 1
            self._last = metadata.sequence.stream
            self._take(message)
            if metadata.num_pending == 0:
                self._note_caught_up()
