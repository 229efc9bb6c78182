"""Every stream and durable consumer, declared once; `shared.declaring` brings the server to it."""

from typing import Final

import msgspec
from nats.js.api import (
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    SubjectTransform,
)

QUEUE_LIMIT: Final = 10_000
"""Turns that may wait; beyond it JetStream refuses the publish, so that nobody is told a lie."""

PADDING: Final = "padding"
"""Noise that is written and purged, so that a stream goes on in a new file, and the old one can go."""

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
    subjects=[
        "turn.saved",
        "turn.failed",
        "turn.cancelled",
        "turn.indexed",
        "replay.indexer-turn-saved",
        "replay.indexer-turn-cancelled",
        "replay.orchestrator-turn-saved",
        f"{PADDING}.outcomes",
    ],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    max_age=30 * 24 * 3600,
    # An orchestrator that comes back after another one took its turn over may say again how it ended.
    duplicate_window=600,
    allow_direct=True,
)
MEMORIES = StreamConfig(
    name="MEMORIES",
    description="What was stated to last beyond turns.",
    subjects=[
        "memory.saved",
        "memory.extracted",
        "replay.indexer-memory-saved",
        "replay.indexer-memory-extracted",
        f"{PADDING}.memories",
    ],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    max_age=30 * 24 * 3600,
    duplicate_window=600,
    allow_direct=True,
)
RESEARCH = StreamConfig(
    name="RESEARCH",
    description="Pages that were fetched, and how their sources did.",
    subjects=[
        "research.saved",
        "source.observed",
        "replay.indexer-research-saved",
        "replay.indexer-source-observed",
        f"{PADDING}.research",
    ],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    max_age=30 * 24 * 3600,
    duplicate_window=600,
    allow_direct=True,
)
FORGETTING = StreamConfig(
    name="FORGETTING",
    description="What has to be forgotten: names and ids, never words.",
    subjects=["forget.requested"],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    max_age=30 * 24 * 3600,
    duplicate_window=600,
)
# On disk, so that readers go on without a gap when the server was killed.
LIVE = StreamConfig(
    name="LIVE",
    description="The live events of recent turns, for readers that join late.",
    subjects=["turn.stream.*", "turn.join.*", f"{PADDING}.live"],
    # Who listens hears also what the stream refuses. What is stored only if nothing came in between goes by a
    # subject that nobody listens to (`shared.events.joining_subject`).
    subject_transform=SubjectTransform(src="turn.join.*", dest="turn.stream.{{wildcard(1)}}"),
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
    allow_direct=True,
)
SESSIONS = key_value_bucket("sessions", "Who runs a turn of which session, and how far it is.")
SESSION_SETTINGS = key_value_bucket("session-settings", "What users have set for their sessions.")
IDEMPOTENCY = key_value_bucket(
    "idempotency", "The turns that were asked for with an Idempotency-Key.", max_age=24 * 3600
)
STREAMS: Final = (
    TURNS,
    OUTCOMES,
    MEMORIES,
    RESEARCH,
    FORGETTING,
    LIVE,
    DEAD,
    SESSIONS,
    SESSION_SETTINGS,
    IDEMPOTENCY,
)


class Durable(msgspec.Struct, frozen=True, kw_only=True):
    """A durable pull consumer: `<service>-<noun>-<participle>`, no dots, under 32 characters."""

    name: str
    stream: str
    subject: str
    replay_subject: str | None = None
    """Where its dead letters are said again, so that other readers of `subject` do not see them twice; None:
    on `subject` itself."""
    ack_wait_seconds: float = 15.0
    """After a crash this long passes before what was in hand comes again."""
    max_deliver: int = 8
    """Attempts that end in an error, in one process, before a message is given up."""
    patience_seconds: float = 24 * 3600
    """How old a message gets before it is given up because something outside is still away."""
    max_ack_pending: int = 1024

    @property
    def subjects(self) -> list[str]:
        return [self.subject, *([self.replay_subject] if self.replay_subject else [])]

    def config(self) -> ConsumerConfig:
        apart = self.replay_subject is not None
        return ConsumerConfig(
            durable_name=self.name,
            filter_subject=None if apart else self.subject,
            filter_subjects=self.subjects if apart else None,
            ack_wait=self.ack_wait_seconds,
            # The bus itself gives up and writes the dead letter; the server's own limit stays above it, so
            # that no message is dropped without a word.
            max_deliver=-1,
            max_ack_pending=self.max_ack_pending,
        )


# Not on the server: the orchestrator reads TURNS whole. Its dead letters are kept under this name.
ORCHESTRATOR_TURN_REQUESTED = Durable(
    name="orchestrator-turn-requested", stream="TURNS", subject="turn.requested"
)
INDEXER_TURN_SAVED = Durable(
    name="indexer-turn-saved",
    stream="OUTCOMES",
    subject="turn.saved",
    replay_subject="replay.indexer-turn-saved",
)
INDEXER_TURN_CANCELLED = Durable(
    name="indexer-turn-cancelled",
    stream="OUTCOMES",
    subject="turn.cancelled",
    replay_subject="replay.indexer-turn-cancelled",
)
INDEXER_MEMORY_SAVED = Durable(
    name="indexer-memory-saved",
    stream="MEMORIES",
    subject="memory.saved",
    replay_subject="replay.indexer-memory-saved",
)
INDEXER_MEMORY_EXTRACTED = Durable(
    name="indexer-memory-extracted",
    stream="MEMORIES",
    subject="memory.extracted",
    replay_subject="replay.indexer-memory-extracted",
)
INDEXER_RESEARCH_SAVED = Durable(
    name="indexer-research-saved",
    stream="RESEARCH",
    subject="research.saved",
    replay_subject="replay.indexer-research-saved",
)
INDEXER_SOURCE_OBSERVED = Durable(
    name="indexer-source-observed",
    stream="RESEARCH",
    subject="source.observed",
    replay_subject="replay.indexer-source-observed",
)
# The reflector reads in the background what turns have said.
ORCHESTRATOR_TURN_SAVED = Durable(
    name="orchestrator-turn-saved",
    stream="OUTCOMES",
    subject="turn.saved",
    replay_subject="replay.orchestrator-turn-saved",
)
ORCHESTRATOR_FORGET_REQUESTED = Durable(
    name="orchestrator-forget-requested",
    stream="FORGETTING",
    subject="forget.requested",
    # Whoever asked was told that it will be: it is tried as long as the stream holds it.
    patience_seconds=30 * 24 * 3600,
    max_ack_pending=64,
)
DURABLES: Final = (
    INDEXER_TURN_SAVED,
    INDEXER_TURN_CANCELLED,
    INDEXER_MEMORY_SAVED,
    INDEXER_MEMORY_EXTRACTED,
    INDEXER_RESEARCH_SAVED,
    INDEXER_SOURCE_OBSERVED,
    ORCHESTRATOR_TURN_SAVED,
    ORCHESTRATOR_FORGET_REQUESTED,
)
