"""What the clients know: what they asked, what they were told, and what they have read."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from time import monotonic
from typing import Any

import aiohttp
import msgspec
import nats.errors
import nats.js.errors

AWAY = (aiohttp.ClientError, ConnectionError, nats.errors.Error, nats.js.errors.Error, TimeoutError)
"""What a client meets while something is down; it tries again."""
LAST_TYPES = ("turn.saved", "turn.failed", "turn.cancelled")


class Asked(msgspec.Struct, kw_only=True):
    """One turn from its client's side."""

    number: int
    way: str
    user: str
    session_id: str
    told_ids: set[str] = msgspec.field(default_factory=set)
    """Every id that was told for it; more than one is a turn too many."""
    told_numbers: set[int] = msgspec.field(default_factory=set)
    accepted_at: float | None = None
    """In this process's own seconds; None until then."""
    events: list[dict[str, Any]] = []
    """As its reader has them, each index once."""
    has_ended: bool = False
    faults: list[str] = []
    """What no reader may ever meet."""
    connections: int = 0
    seconds: float = 0.0
    """From being accepted to the reader's last event."""
    cancelled: bool | None = None
    """The answer to the cancel; None where no cancel was asked for."""
    cancel_found: str = ""
    is_known: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Set once its client knows its id."""

    @property
    def is_accepted(self) -> bool:
        return self.accepted_at is not None

    def accept(self) -> None:
        if self.accepted_at is None:
            self.accepted_at = monotonic()

    def tell(self, turn_id: str, turn_number: int) -> None:
        self.told_ids.add(turn_id)
        self.told_numbers.add(turn_number)
        self.is_known.set()

    @property
    def turn_id(self) -> str:
        return min(self.told_ids, default="")

    @property
    def last_index(self) -> int:
        return int(self.events[-1]["index"]) if self.events else -1


class Ledger:
    """All turns of a run, and every error that a client met, by kind."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.errors: Counter[str] = Counter()
        self.begun_at = monotonic()

    @property
    def accepted(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.is_accepted]

    @property
    def bugs(self) -> list[str]:
        """Errors that are no answer to anything that was killed."""
        return [f"{count} x {kind}" for kind, count in sorted(self.errors.items()) if is_bug(kind)]

    @contextlib.contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Lets nothing through that only says that something is away."""
        try:
            yield
        except AWAY as error:
            self.errors[f"{what}: {type(error).__name__}"] += 1


def is_bug(kind: str) -> bool:
    """Notes a fault where the status is a fault of the system. A refusal (4xx) is none; 500 is one."""
    status = kind.rpartition(": ")[2]
    return status.startswith("!") or (status.isdecimal() and status != "503")


def see_event(asked: Asked, event: dict[str, Any]) -> None:
    """Notes a fault where an event does not follow the one before, or comes after the last."""
    expected = asked.last_index + 1
    if asked.has_ended:
        asked.faults.append(f"read {event['type']} {event['index']} after {asked.events[-1]['type']}")
        return
    if event["index"] != expected:
        asked.faults.append(f"read {event['type']} {event['index']} where {expected} comes next")
    if event["index"] < expected:
        return
    asked.events.append(event)
    asked.has_ended = event["type"] in LAST_TYPES
    if asked.has_ended and asked.accepted_at is not None:
        asked.seconds = monotonic() - asked.accepted_at
