"""Every stream and durable consumer, declared once.

`declare_streams` brings the server to this declaration: it creates what is missing and updates in place what
differs. What JetStream cannot change in place (retention, storage) ends with an error that says so; nothing
here ever deletes data.
"""

import dataclasses
from typing import Final

import msgspec
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.errors import SettingsError, Transient

QUEUE_LIMIT: Final = 10_000
"""Turns that may wait; beyond it JetStream refuses the publish, so that nobody is told a lie."""

_MB: Final = 1024 * 1024


def key_value_bucket(name: str, description: str, *, max_age: float | None = None) -> StreamConfig:
    """The stream of a JetStream key-value bucket, as every NATS client knows it."""
    return StreamConfig(
        name=f"KV_{name}",
        description=description,
        subjects=[f"$KV.{name}.>"],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        max_msgs_per_subject=1,
        storage=StorageType.FILE,
        max_age=max_age,
        duplicate_window=min(max_age or 120, 120),
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=True,
        allow_msg_ttl=True,
    )


# Every orchestrator reads the queue of turns whole, and a turn leaves it when it has ended: docs/adr/0009.
TURNS = StreamConfig(
    name="TURNS",
    description="Turns that wait or run.",
    subjects=["turn.requested"],
    retention=RetentionPolicy.LIMITS,
    discard=DiscardPolicy.NEW,
    max_msgs=QUEUE_LIMIT,
    max_bytes=256 * _MB,
    storage=StorageType.FILE,
    duplicate_window=120,
    allow_direct=True,
)
OUTCOMES = StreamConfig(
    name="OUTCOMES",
    description="How turns ended, and what was indexed.",
    subjects=["turn.saved", "turn.failed", "turn.cancelled", "turn.indexed", "replay.indexer-turn-saved"],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    max_age=30 * 24 * 3600,
    # An orchestrator that comes back after another one took its turn over may say again how it ended.
    duplicate_window=600,
)
# On disk, so that readers go on without a gap when the server was killed.
LIVE = StreamConfig(
    name="LIVE",
    description="The live events of recent turns, for readers that join late.",
    subjects=["turn.stream.*"],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    max_age=15 * 60,
    max_bytes=256 * _MB,
    allow_direct=True,
)
DEAD = StreamConfig(
    name="DEAD",
    description="Messages that were given up, each with its reason.",
    subjects=["dead.*"],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
)
SESSIONS = key_value_bucket("sessions", "Who runs a turn of which session, and how far it is.")
IDEMPOTENCY = key_value_bucket(
    "idempotency", "The turns that were asked for with an Idempotency-Key.", max_age=24 * 3600
)
STREAMS: Final = (TURNS, OUTCOMES, LIVE, DEAD, SESSIONS, IDEMPOTENCY)


class Durable(msgspec.Struct, frozen=True, kw_only=True):
    """A durable pull consumer: `<service>-<noun>-<participle>`, no dots, under 32 characters."""

    name: str
    stream: str
    subject: str
    ack_wait_seconds: float = 15.0
    """After a crash this long passes before what was in hand comes again."""
    max_deliver: int = 8
    max_ack_pending: int = 1024

    def config(self) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=self.name,
            filter_subject=self.subject,
            ack_wait=self.ack_wait_seconds,
            # The bus itself gives up after `max_deliver` and writes the dead letter; the server's own limit
            # stays above it, so that no message is dropped without a word.
            max_deliver=-1,
            max_ack_pending=self.max_ack_pending,
        )


ORCHESTRATOR_TURN_REQUESTED = Durable(
    name="orchestrator-turn-requested", stream="TURNS", subject="turn.requested"
)
INDEXER_TURN_SAVED = Durable(name="indexer-turn-saved", stream="OUTCOMES", subject="turn.saved")
DURABLES: Final = (ORCHESTRATOR_TURN_REQUESTED, INDEXER_TURN_SAVED)


async def declare_streams(
    jetstream: JetStreamContext, *, first_turn_number: int, queue_limit: int = QUEUE_LIMIT
) -> None:
    """Creates or updates every stream and durable.

    `first_turn_number` starts the sequence of a TURNS stream that has to be made anew (the store was lost),
    so that turn numbers go on rising. Raises SettingsError where the server holds another kind of stream.
    """
    for declared in STREAMS:
        wanted = declared
        if declared is TURNS:
            wanted = dataclasses.replace(declared, max_msgs=queue_limit, first_seq=first_turn_number)
        await _declare_stream(jetstream, wanted)
    for durable in DURABLES:
        try:
            await jetstream.add_consumer(durable.stream, durable.config())
        except APIError as error:
            raise _not_as_declared(f"durable {durable.name}", error) from error


async def _declare_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> None:
    try:
        try:
            present = (await jetstream.stream_info(str(wanted.name))).config
        except NotFoundError:
            await jetstream.add_stream(wanted)
        else:
            # The first sequence is history by now: JetStream keeps its own count.
            await jetstream.update_stream(dataclasses.replace(wanted, first_seq=present.first_seq))
    except APIError as error:
        raise _not_as_declared(f"stream {wanted.name}", error) from error


def _not_as_declared(what: str, error: APIError) -> SettingsError:
    return SettingsError(
        f"{what} on the NATS server cannot be made what this version declares ({error.description}). "
        "Nothing was deleted. Back up what is in the way, remove it, and start again."
    )


async def wait_for_streams(jetstream: JetStreamContext) -> None:
    """Raises Transient until the orchestrator has declared every stream and durable."""
    try:
        for durable in DURABLES:
            await jetstream.consumer_info(durable.stream, durable.name)
    except NotFoundError as error:
        raise Transient("the orchestrator has not declared the streams yet", retry_in=0.2) from error
