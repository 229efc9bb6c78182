"""Every event that crosses the bus, one frozen class each.

Two families:

* *Stored events* are facts on a JetStream stream (`turn.saved`). Their class names its subject and version;
  `ce_type` and `ce_dataschema` are the CloudEvents attributes that travel in the headers.
* *Live events* are what a reader of one turn sees on `turn.stream.<turn_id>`. They are a union tagged by
  `type`, and each carries the turn's own running `index`, so that a reader can join at any point.

Readers ignore fields that they do not know; a missing required field is `Poison`. A change that breaks an
old reader takes a new version, never a changed meaning (the golden files in tests/contracts hold us to it).
"""

from shared.events.codec import (
    UNREADABLE,
    decode,
    decode_live,
    encode,
)
from shared.events.live import (
    LAST_EVENTS,
    LIVE_EVENTS,
    AnyLiveEvent,
    Cancelled,
    Failed,
    LiveEvent,
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    PhaseStarted,
    Queued,
    Saved,
    SourcesFound,
    Steered,
    joining_subject,
    live_subject,
    output_of,
)
from shared.events.names import (
    ANY_SESSION_PATTERN,
    LOCAL_USER,
    SESSION_PATTERN,
    AnySessionId,
    IfBusy,
    Origin,
    PhaseTiming,
    Score,
    SessionId,
    Source,
    SourceKind,
    Timings,
    TurnId,
    Usage,
    User,
    WhyCancelled,
)
from shared.events.stored import (
    STORED_EVENTS,
    Event,
    ForgetRequested,
    ForgetScope,
    MemoryEvent,
    MemoryExtracted,
    MemorySaved,
    TurnCancelled,
    TurnEvent,
    TurnFailed,
    TurnIndexed,
    TurnRequested,
    TurnSaved,
)

__all__ = [
    "ANY_SESSION_PATTERN",
    "LAST_EVENTS",
    "LIVE_EVENTS",
    "LOCAL_USER",
    "SESSION_PATTERN",
    "STORED_EVENTS",
    "UNREADABLE",
    "AnyLiveEvent",
    "AnySessionId",
    "Cancelled",
    "Event",
    "Failed",
    "ForgetRequested",
    "ForgetScope",
    "IfBusy",
    "LiveEvent",
    "MemoryEvent",
    "MemoryExtracted",
    "MemorySaved",
    "Origin",
    "OutputDelta",
    "OutputRestarted",
    "PhaseEnded",
    "PhaseStarted",
    "PhaseTiming",
    "Queued",
    "Saved",
    "Score",
    "SessionId",
    "Source",
    "SourceKind",
    "SourcesFound",
    "Steered",
    "Timings",
    "TurnCancelled",
    "TurnEvent",
    "TurnFailed",
    "TurnId",
    "TurnIndexed",
    "TurnRequested",
    "TurnSaved",
    "Usage",
    "User",
    "WhyCancelled",
    "decode",
    "decode_live",
    "encode",
    "joining_subject",
    "live_subject",
    "output_of",
]
