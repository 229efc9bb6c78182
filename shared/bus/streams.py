"""Every stream, declared once. `shared.bus.declaration` makes the server have it.

The orchestrator creates the streams and durables at its start and updates in place what differs. It never
deletes a stream. All streams are on disk. A message leaves TURNS when its turn has ended: the orchestrator
that ran the turn deletes it by its number ([ADR
0009](adr/0009-the-queue-is-a-stream-that-every-orchestrator-reads.md)). TURNS has therefore no durable.
"""

from typing import Final

from nats.js.api import (
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    SubjectTransform,
)

from shared.contract.requests import QUEUE_LIMIT

PADDING: Final = "padding"
"""The subject of noise that is written and purged, so that the stream begins a new file and the old one is
deleted."""

_MB: Final = 1024 * 1024


def key_value_bucket(
    name: str, description: str, *, max_age: float | None = None, may_delete: bool = False
) -> StreamConfig:
    """The stream of a JetStream key-value bucket, as every NATS client knows it.

    `may_delete`: single messages can be deleted, by what is in them.
    """
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
        deny_delete=not may_delete,
        allow_direct=True,
        allow_msg_ttl=True,
    )


# Every orchestrator reads the queue of turns whole, and a turn leaves it when it has ended: docs/adr/0009.
TURNS = StreamConfig(
    name="TURNS",
    description="Turns that wait or run.",
    subjects=["turn.requested", f"{PADDING}.turns"],
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
    # An orchestrator that comes back after another one took its turn over may publish its end again.
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
# On disk: readers go on without a gap after the server was killed.
LIVE = StreamConfig(
    name="LIVE",
    description="The live events of recent turns, for readers that join late.",
    subjects=["turn.stream.*", "turn.join.*", f"{PADDING}.live"],
    # Subscribers get also what the stream refuses. An event that is stored only if it is the next one is
    # therefore sent to a subject without subscribers (`shared.contract.events.joining_subject`).
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
CHATS = key_value_bucket(
    "chats",
    "The sessions of conversations that OpenAI's clients send whole, by the hashes of their messages.",
    max_age=30 * 24 * 3600,
    may_delete=True,
)
API_KEYS = key_value_bucket("api-keys", "Whose each API key is and what it may do, by its digest.")
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
    CHATS,
    API_KEYS,
)
