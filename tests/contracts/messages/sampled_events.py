"""Every event, each field away from its default; and what the samples have in common."""

from datetime import UTC, datetime

from shared.contract.events import (
    Cancelled,
    Event,
    Failed,
    ForgetRequested,
    LiveEvent,
    MemoryExtracted,
    MemorySaved,
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    PhaseStarted,
    PhaseTiming,
    Queued,
    ResearchSaved,
    Saved,
    SeenImage,
    Source,
    SourceObserved,
    SourcesFound,
    Steered,
    Timings,
    ToolEnded,
    ToolStarted,
    ToolWaiting,
    TurnCancelled,
    TurnFailed,
    TurnIndexed,
    TurnRequested,
    TurnSaved,
    Usage,
)
from shared.contract.memories import Statement
from shared.contract.requests import (
    Receipt,
    StoreReceipt,
)

ID = "0192f0c1-2d3e-7abc-8def-0123456789ab"
EARLIER = "0192f0c0-0000-7abc-8def-0123456789ab"
AT = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
LATER = datetime(2026, 3, 14, 9, 26, 55, tzinfo=UTC)
SAID = "Where does my sister Mira live?"
ANSWER = "In Lisbon (turn 7)."
ADDED = "In one word."
SEEN = SeenImage(file_id="file-7", name="mira.png", description="Mira, with bees.", problem="none")
SOURCE = Source(
    kind="memory",
    id=EARLIER,
    turn_id=EARLIER,
    turn_number=7,
    message_ids=[f"{EARLIER}:user"],
    session_id="garden",
    speaker="user",
    at=AT,
    url="https://bees.example.org/varroa?page=2",
    score=0.75,
    quote="My sister Mira lives in Lisbon.",
)
USAGE = Usage(input_tokens=41, output_tokens=6, cached_tokens=16)
PHASE = PhaseTiming(
    phase="synthesis",
    seconds=1.25,
    role="VOICE",
    model="extractive",
    input_tokens=41,
    output_tokens=6,
    cached_tokens=16,
    calls=2,
    retries=1,
)
TIMINGS = Timings(gather_seconds=0.25, first_token_seconds=0.5, total_seconds=1.5)
STATEMENT = Statement(
    text="My sister Mira lives in Lisbon.",
    kind="fact",
    subject="Mira",
    attribute="home",
    value="Lisbon",
    confidence=0.875,
    made_by="reflector",
    said_at=AT,
    valid_from=AT,
    valid_to=LATER,
    turn_id=EARLIER,
    session_id="garden",
    message_ids=[f"{EARLIER}:user"],
    quote="Mira lives in Lisbon",
)
URL = "https://bees.example.org/varroa?page=2"
RESEARCH = ResearchSaved(
    research_id=ID,
    user="alice",
    url=URL,
    domain="bees.example.org",
    title="Varroa mites",
    text="Oxalic acid is used in winter, when there is no brood.",
    primary_topic="varroa treatment",
    quality_overall=0.75,
    confidence_current=0.875,
    fetched_at=AT,
    expires_at=LATER,
    scope="user",
    published_at=AT,
    content_types=["article"],
    doc_path="turn_000042/research.md",
    turn_id=EARLIER,
    turn_number=7,
    session_id="garden",
    requested_at=AT,
)
OBSERVED = SourceObserved(
    observation_id=ID,
    user="alice",
    domain="bees.example.org",
    ok=True,
    at=AT,
    reason="HTTP 200",
    turn_id=EARLIER,
)

FORGET = ForgetRequested(
    forget_id=ID, user="alice", scope="session", target="kitchen", requested_at=AT, now=True
)
STORE = StoreReceipt(store="points", removed=3, erased=True, remains="nothing but backups")
RECEIPT = Receipt(
    forget_id=ID,
    user="alice",
    scope="session",
    target="kitchen",
    requested_at=AT,
    state="forgotten",
    erased_by=AT,
    stores=[STORE],
    turns=[EARLIER],
    answers=[ID],
    remains=["backups, until they expire"],
)

STORED: tuple[Event, ...] = (
    TurnRequested(
        turn_id=ID,
        session_id="kitchen",
        input=SAID,
        user="alice",
        recipe="standard",
        model="extractive",
        if_busy="interrupt",
        metadata={"client": "golden"},
        images=["file-7"],
    ),
    TurnSaved(
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        input=SAID,
        output=ANSWER,
        recipe="direct",
        model="extractive",
        topic="sister mira live",
        intent="question",
        keywords=["sister", "mira", "live"],
        quality=0.875,
        turn_dir="turn_000042",
        requested_at=AT,
        saved_at=LATER,
        sources=[SOURCE],
        usage=USAGE,
        timings=TIMINGS,
        quoted=True,
        metadata={"client": "golden"},
        last_index=9,
        phases=[PHASE],
        images=[SEEN],
    ),
    TurnFailed(
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        reason="timeout",
        detail="not ended within 600 s",
        failed_at=LATER,
    ),
    TurnCancelled(
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        cancelled_at=LATER,
        requested_at=AT,
        why="interrupted",
        input=SAID,
        output="In Lis",
        recipe="direct",
        model="extractive",
        images=[SEEN],
    ),
    TurnIndexed(turn_id=ID, turn_number=42, session_id="kitchen", user="alice", indexed_at=LATER),
    MemorySaved(memory_id=ID, user="alice", statement=STATEMENT),
    MemoryExtracted(memory_id=ID, user="alice", statement=STATEMENT),
    RESEARCH,
    OBSERVED,
    FORGET,
)

LIVE: tuple[LiveEvent, ...] = (
    Queued(
        index=4,
        attempt=2,
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        position=3,
        estimate_seconds=4.5,
    ),
    PhaseStarted(index=1, attempt=2, phase="gather"),
    PhaseEnded(index=3, attempt=2, phase="gather", seconds=0.25),
    SourcesFound(index=2, attempt=2, sources=[SOURCE], degraded=["memory"]),
    ToolStarted(index=3, attempt=2, call="c1", tool="memory.search"),
    ToolWaiting(
        index=4,
        attempt=2,
        call="c1",
        tool="files.remove",
        key="1.c1",
        arguments={"name": "notes.md"},
        seconds=3600.0,
    ),
    ToolEnded(index=4, attempt=2, call="c1", tool="memory.search", seconds=0.25, ok=True),
    Steered(index=4, attempt=2, text=ADDED, takes_effect="synthesis"),
    OutputDelta(index=5, attempt=2, text="In Lisbon"),
    OutputRestarted(index=6, attempt=2),
    Saved(
        index=9,
        attempt=2,
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        output=ANSWER,
        sources=[SOURCE],
        usage=USAGE,
        model="extractive",
    ),
    Failed(
        index=9,
        attempt=2,
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        reason="timeout",
        detail="too long",
    ),
    Cancelled(
        index=9,
        attempt=2,
        turn_id=ID,
        turn_number=42,
        session_id="kitchen",
        why="replaced",
        output="In Lis",
    ),
)
