"""Every durable consumer, declared once. `shared.bus.declaration` makes the server have it."""

from typing import Any, Final, Generic, TypeVar

import msgspec
from nats.js.api import ConsumerConfig

from shared.contract.events import (
    Event,
    ForgetRequested,
    MemoryExtracted,
    MemorySaved,
    ResearchSaved,
    SourceObserved,
    TurnCancelled,
    TurnRequested,
    TurnSaved,
)
from shared.contract.subjects import REPLAYS

E = TypeVar("E", bound=Event)


class Durable(msgspec.Struct, Generic[E], frozen=True, kw_only=True):
    """A durable pull consumer: `<service>-<noun>-<participle>`, no dots, under 32 characters."""

    name: str
    stream: str
    event: type[E]
    """The type of its messages. Their subject is the one that is read."""
    description: str
    """What the process that reads it does with the events."""
    is_replayed_alone: bool = True
    """Its dead letters are replayed on `replay_subject`, so that other readers of `subject` do not get them
    twice. False: they are replayed on `subject`."""
    ack_wait_seconds: float = 15.0
    """How long after a crash the messages that were in hand are delivered again."""
    max_deliver: int = 8
    """After this many attempts of one process that ended in an error a message is given up."""
    patience_seconds: float = 24 * 3600
    """A message that is older than this is given up, where something outside is still away."""
    max_ack_pending: int = 1024

    @property
    def subject(self) -> str:
        return self.event.subject

    @property
    def replay_subject(self) -> str | None:
        return REPLAYS.format(durable=self.name) if self.is_replayed_alone else None

    @property
    def subjects(self) -> list[str]:
        return [self.subject, *([self.replay_subject] if self.replay_subject else [])]

    def config(self) -> ConsumerConfig:
        has_one = self.replay_subject is None
        return ConsumerConfig(
            durable_name=self.name,
            filter_subject=self.subject if has_one else None,
            filter_subjects=None if has_one else self.subjects,
            ack_wait=self.ack_wait_seconds,
            # The bus gives up by itself and stores a dead letter. The server must never drop a message.
            max_deliver=-1,
            max_ack_pending=self.max_ack_pending,
        )


ORCHESTRATOR_TURN_REQUESTED: Final = Durable(
    name="orchestrator-turn-requested",
    stream="TURNS",
    event=TurnRequested,
    description="Not on the server: the orchestrator reads all of TURNS. Its dead letters have this name.",
    is_replayed_alone=False,
)
INDEXER_TURN_SAVED: Final = Durable(
    name="indexer-turn-saved",
    stream="OUTCOMES",
    event=TurnSaved,
    description="Stores the messages of a saved turn and makes search find them.",
)
INDEXER_TURN_CANCELLED: Final = Durable(
    name="indexer-turn-cancelled",
    stream="OUTCOMES",
    event=TurnCancelled,
    description="Stores a cancelled turn for the history of its session.",
)
INDEXER_MEMORY_SAVED: Final = Durable(
    name="indexer-memory-saved",
    stream="MEMORIES",
    event=MemorySaved,
    description="Stores a memory that a user stated and makes search find it.",
)
INDEXER_MEMORY_EXTRACTED: Final = Durable(
    name="indexer-memory-extracted",
    stream="MEMORIES",
    event=MemoryExtracted,
    description="Stores a memory that the reflector found in a turn and makes search find it.",
)
INDEXER_RESEARCH_SAVED: Final = Durable(
    name="indexer-research-saved",
    stream="RESEARCH",
    event=ResearchSaved,
    description="Stores a page that was fetched and makes search find it.",
)
INDEXER_SOURCE_OBSERVED: Final = Durable(
    name="indexer-source-observed",
    stream="RESEARCH",
    event=SourceObserved,
    description="Counts how reliable the source of a page is.",
)
ORCHESTRATOR_TURN_SAVED: Final = Durable(
    name="orchestrator-turn-saved",
    stream="OUTCOMES",
    event=TurnSaved,
    description="The reflector reads a saved turn in the background and extracts memories from it.",
)
ORCHESTRATOR_FORGET_REQUESTED: Final = Durable(
    name="orchestrator-forget-requested",
    stream="FORGETTING",
    event=ForgetRequested,
    description="Forgets what a user asked to be forgotten, in every store.",
    is_replayed_alone=False,
    # The user was told that it will be done: it is tried as long as the stream has it.
    patience_seconds=30 * 24 * 3600,
    max_ack_pending=64,
)
DURABLES: Final[tuple[Durable[Any], ...]] = (
    INDEXER_TURN_SAVED,
    INDEXER_TURN_CANCELLED,
    INDEXER_MEMORY_SAVED,
    INDEXER_MEMORY_EXTRACTED,
    INDEXER_RESEARCH_SAVED,
    INDEXER_SOURCE_OBSERVED,
    ORCHESTRATOR_TURN_SAVED,
    ORCHESTRATOR_FORGET_REQUESTED,
)
