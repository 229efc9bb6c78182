"""Every event that crosses the bus, one frozen class each.

Two families:

* *Stored events* are facts on a JetStream stream (`turn.saved`). Their class names its subject and version;
  `ce_type` and `ce_dataschema` are the CloudEvents attributes that travel in the headers.
* *Live events* are what a reader of one turn sees on `turn.stream.<turn_id>`. They are a union tagged by
  `type`. Each carries the turn's own running `index`, so that a reader can join at any point.

Readers ignore fields that they do not know; a missing required field is `Poison`. A change that breaks an
old reader takes a new version, never a changed meaning (the golden files in tests/contracts check it).
docs/events.md and docs/asyncapi.json are made from these classes and their docstrings: `make docs`.
"""

from shared.contract.events.codec import UNREADABLE, decode, decode_live, encode, encode_lines
from shared.contract.events.event import Event
from shared.contract.events.forgetting import ForgetRequested, ForgetScope
from shared.contract.events.ids import (
    ANY_SESSION_PATTERN,
    FILE_PATTERN,
    LOCAL_USER,
    SESSION_PATTERN,
    AnySessionId,
    Domain,
    FileId,
    SessionId,
    TurnId,
    Url,
    User,
    may_have_turns,
)
from shared.contract.events.images import MOST_IMAGES, SeenImage, said_with_images
from shared.contract.events.live import (
    LAST_EVENTS,
    LIVE_EVENTS,
    AnyLiveEvent,
    Cancelled,
    Failed,
    LiveEvent,
    LiveTurnEvent,
    OutputDelta,
    OutputRestarted,
    Paused,
    PhaseEnded,
    PhaseStarted,
    Queued,
    Saved,
    SourcesFound,
    Steered,
    ToolEnded,
    ToolStarted,
    ToolWaiting,
    joining_subject,
    live_subject,
    output_of,
)
from shared.contract.events.memories import MemoryEvent, MemoryExtracted, MemorySaved
from shared.contract.events.origins import Origin, Score, Source, SourceKind
from shared.contract.events.research import ResearchSaved, ResearchScope, SourceObserved
from shared.contract.events.tools import MOST_TOOLS, ClientTool, ClientTools
from shared.contract.events.turns import (
    AcceptedTurnEvent,
    Follows,
    IfBusy,
    TurnCancelled,
    TurnEvent,
    TurnFailed,
    TurnIndexed,
    TurnRequested,
    TurnSaved,
    WhyCancelled,
)
from shared.contract.events.usage import PhaseTiming, Timings, Usage

STORED_EVENTS: tuple[type[Event], ...] = (
    TurnRequested,
    TurnSaved,
    TurnFailed,
    TurnCancelled,
    TurnIndexed,
    MemorySaved,
    MemoryExtracted,
    ResearchSaved,
    SourceObserved,
    ForgetRequested,
)
