"""One representative instance of every message on the bus, each field away from its default.

`python -m tests.contracts.samples` writes them to the golden files. A golden file that changes is a contract
that changes: a field may be added, with a default; anything else takes a new version.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.endpoints import Problem
from shared.events import (
    Cancelled,
    Event,
    Failed,
    LiveEvent,
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    PhaseStarted,
    Queued,
    Saved,
    Source,
    SourcesFound,
    Steered,
    Timings,
    TurnCancelled,
    TurnFailed,
    TurnIndexed,
    TurnRequested,
    TurnSaved,
    Usage,
    encode,
)
from shared.letters import (
    DeadLetter,
    DeadLetterRow,
    DeadLetterSettled,
    DropDeadLetter,
    ListDeadLetters,
    ListDeadLettersReply,
    ReplayDeadLetter,
    ShowDeadLetter,
)
from shared.replies import (
    Abort,
    Aborted,
    Control,
    ControlHere,
    Controlled,
    Count,
    CountReply,
    Document,
    DocumentsReply,
    EventsReply,
    FindRunning,
    FindUnended,
    Generate,
    Generated,
    GetDocument,
    GetEvents,
    GetTurn,
    Hit,
    ListDocuments,
    ListSessions,
    ListSessionsReply,
    ListTurns,
    ListTurnsReply,
    Message,
    Models,
    ModelsReply,
    Neighbours,
    NeighboursReply,
    Passage,
    Recipes,
    RecipesReply,
    RunningReply,
    Search,
    SearchReply,
    SessionRow,
    StillGenerating,
    TurnRecord,
    TurnRow,
    UnendedTurn,
)

GOLDEN = Path(__file__).parent / "golden"

_ID = "0192f0c1-2d3e-7abc-8def-0123456789ab"
_EARLIER = "0192f0c0-0000-7abc-8def-0123456789ab"
_AT = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
_LATER = datetime(2026, 3, 14, 9, 26, 55, tzinfo=UTC)
_SAID = "Where does my sister Mira live?"
_ANSWER = "In Lisbon (turn 7)."
_ADDED = "In one word."
_SOURCE = Source(turn_id=_EARLIER, turn_number=7, score=0.75, quote="My sister Mira lives in Lisbon.")
_USAGE = Usage(input_tokens=41, output_tokens=6)
_TIMINGS = Timings(gather_seconds=0.25, first_token_seconds=0.5, total_seconds=1.5)

STORED: tuple[Event, ...] = (
    TurnRequested(
        turn_id=_ID,
        session_id="kitchen",
        input=_SAID,
        user="alice",
        recipe="standard",
        model="extractive",
        if_busy="interrupt",
        metadata={"client": "golden"},
    ),
    TurnSaved(
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        input=_SAID,
        output=_ANSWER,
        recipe="direct",
        model="extractive",
        topic="sister mira live",
        intent="question",
        keywords=["sister", "mira", "live"],
        quality=0.875,
        turn_dir="turn_000042",
        requested_at=_AT,
        saved_at=_LATER,
        sources=[_SOURCE],
        usage=_USAGE,
        timings=_TIMINGS,
        quoted=True,
        metadata={"client": "golden"},
        last_index=9,
    ),
    TurnFailed(
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        reason="timeout",
        detail="not ended within 600 s",
        failed_at=_LATER,
    ),
    TurnCancelled(
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        cancelled_at=_LATER,
        requested_at=_AT,
        why="interrupted",
        input=_SAID,
        output="In Lis",
        recipe="direct",
        model="extractive",
    ),
    TurnIndexed(turn_id=_ID, turn_number=42, session_id="kitchen", user="alice", indexed_at=_LATER),
)

LIVE: tuple[LiveEvent, ...] = (
    Queued(
        index=4,
        attempt=2,
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        user="alice",
        position=3,
        estimate_seconds=4.5,
    ),
    PhaseStarted(index=1, attempt=2, phase="gather"),
    PhaseEnded(index=3, attempt=2, phase="gather", seconds=0.25),
    SourcesFound(index=2, attempt=2, sources=[_SOURCE], degraded=["memory"]),
    Steered(index=4, attempt=2, text=_ADDED, takes_effect="synthesis"),
    OutputDelta(index=5, attempt=2, text="In Lisbon"),
    OutputRestarted(index=6, attempt=2),
    Saved(
        index=9,
        attempt=2,
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        output=_ANSWER,
        sources=[_SOURCE],
        usage=_USAGE,
        model="extractive",
    ),
    Failed(
        index=9,
        attempt=2,
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        reason="timeout",
        detail="too long",
    ),
    Cancelled(
        index=9,
        attempt=2,
        turn_id=_ID,
        turn_number=42,
        session_id="kitchen",
        why="replaced",
        output="In Lis",
    ),
)

_ROW = TurnRow(
    turn_id=_EARLIER,
    turn_number=7,
    session_id="garden",
    at=_AT,
    topic="sister mira lisbon",
    intent="statement",
    keywords=["sister", "mira", "lisbon"],
    quality=0.5,
    model="extractive",
    recipe="direct",
    input="My sister Mira lives in Lisbon.",
    output="Noted.",
    quoted=True,
    status="cancelled",
)
_HIT = Hit(
    kind="turn",
    id=_EARLIER,
    score=0.75,
    text="My sister Mira lives in Lisbon.",
    turn_id=_EARLIER,
    turn_number=7,
    session_id="garden",
    at=_AT,
    input="My sister Mira lives in Lisbon.",
    output="Noted.",
    quoted=True,
    similarity=0.625,
    words=2.5,
)
_SESSION = SessionRow(
    session_id="garden", turns=3, first_at=_AT, last_at=_LATER, last_topic="sister mira lisbon"
)
_PASSAGE = Passage(
    turn_id=_EARLIER,
    turn_number=7,
    score=0.75,
    similarity=0.625,
    input="My sister Mira lives in Lisbon.",
    output="Noted.",
    quoted=True,
)
_RECORD = TurnRecord(
    turn_id=_ID,
    turn_number=42,
    session_id="kitchen",
    user="alice",
    status="saved",
    input=_SAID,
    output=_ANSWER,
    recipe="direct",
    model="extractive",
    requested_at=_AT,
    ended_at=_LATER,
    turn_dir="turn_000042",
    sources=[_SOURCE],
    usage=_USAGE,
    timings=_TIMINGS,
    topic="sister mira live",
    intent="question",
    keywords=["sister", "mira", "live"],
    quality=0.875,
    quoted=True,
    error="timeout: not ended within 600 s",
    why_cancelled="interrupted",
    steering=[_ADDED],
    attempt=2,
    metadata={"client": "golden"},
    last_index=9,
)
_UNENDED = UnendedTurn(
    turn_id=_ID,
    turn_number=42,
    session_id="kitchen",
    user="alice",
    status="queued",
    input=_SAID,
    requested_at=_AT,
    position=3,
    estimate_seconds=4.5,
)
_CONTROL = Control(user="alice", turn_id=_ID, action="steer", text=_ADDED)
_CONTROLLED = Controlled(turn_id=_ID, found="running", phase="gather", done=True, takes_effect="synthesis")
_LETTER_ROW = DeadLetterRow(
    sequence=3,
    durable="indexer-turn-saved",
    reason="given up after 8 attempts: ZeroDivisionError()",
    attempts=8,
    subject="turn.saved",
    message_id=f"{_ID}:turn.saved",
    at=_LATER,
)
_LETTER = DeadLetter(
    sequence=3,
    durable="indexer-turn-saved",
    reason="given up after 8 attempts: ZeroDivisionError()",
    attempts=8,
    subject="turn.saved",
    message_id=f"{_ID}:turn.saved",
    at=_LATER,
    first_error="OSError()",
    last_error="ZeroDivisionError()",
    headers={"ce-id": f"{_ID}:turn.saved"},
    body="{}",
    body_bytes=2,
)

ASKED: dict[str, msgspec.Struct] = {
    "index.search": Search(
        user="alice",
        query=_SAID,
        limit=5,
        kinds=["turn", "turn"],
        session_id="garden",
        without_echoes=True,
    ),
    "index.search.reply": SearchReply(hits=[_HIT]),
    "index.list": ListTurns(user="alice", session_id="garden", before=40, limit=5),
    "index.list.reply": ListTurnsReply(turns=[_ROW], next_cursor=7),
    "index.sessions": ListSessions(user="alice", limit=5),
    "index.sessions.reply": ListSessionsReply(sessions=[_SESSION]),
    "index.neighbours": Neighbours(user="alice", turn_ids=[_EARLIER]),
    "index.neighbours.reply": NeighboursReply(turns=[_ROW]),
    "index.count": Count(),
    "index.count.reply": CountReply(rows=3, points=2, highest_turn_number=42),
    "turns.get": GetTurn(user="alice", turn_id=_ID),
    "turns.get.reply": _RECORD,
    "turns.documents": ListDocuments(user="alice", turn_id=_ID),
    "turns.documents.reply": DocumentsReply(names=["context.md", "metadata.json"]),
    "turns.document": GetDocument(user="alice", turn_id=_ID, name="context.md"),
    "turns.document.reply": Document(name="context.md", media_type="text/markdown", text="# Turn 42\n"),
    "turns.events": GetEvents(user="alice", turn_id=_ID, after=4),
    "turns.events.reply": EventsReply(events=[msgspec.Raw(encode(event)) for event in LIVE[:2]], more=True),
    "turns.unended": FindUnended(user="alice", turn_id=_ID),
    "turns.unended.reply": _UNENDED,
    "turns.running": FindRunning(user="alice", session_id="kitchen"),
    "turns.running.reply": RunningReply(turn=_UNENDED),
    "turn.control": _CONTROL,
    "turn.control.reply": _CONTROLLED,
    "orchestrator.control": ControlHere(
        holder="0192f0bf-0000-7abc-8def-0123456789ab", turn_id=_ID, control=_CONTROL
    ),
    "orchestrator.control.reply": _CONTROLLED,
    "turns.recipes": Recipes(),
    "turns.recipes.reply": RecipesReply(names=["direct"]),
    "inference.generate": Generate(
        request_id=f"{_ID}:2",
        messages=[Message("system", "Be brief."), Message("user", _SAID)],
        passages=[_PASSAGE],
        question=_SAID,
        model="extractive",
        temperature=0.5,
        max_tokens=256,
        stream_to=f"turn.stream.{_ID}",
        first_index=4,
        attempt=2,
    ),
    "inference.generate.sign": StillGenerating(output_tokens=3),
    "inference.generate.reply": Generated(
        text=_ANSWER,
        model="extractive",
        finish_reason="stop",
        usage=_USAGE,
        next_index=7,
        first_token_seconds=0.25,
        seconds=1.25,
        pieces=[9, 10],
        sources=[_SOURCE],
        quoted=True,
    ),
    "inference.abort": Abort(request_id=f"{_ID}:2"),
    "inference.abort.reply": Aborted(request_id=f"{_ID}:2"),
    "inference.models": Models(),
    "inference.models.reply": ModelsReply(
        engine="extractive", models=["extractive"], context_tokens=4096, running=2, waiting=1
    ),
    "deadletters.list": ListDeadLetters(after=2, limit=5),
    "deadletters.list.reply": ListDeadLettersReply(letters=[_LETTER_ROW], next_cursor=3),
    "deadletters.show": ShowDeadLetter(sequence=3),
    "deadletters.show.reply": _LETTER,
    "deadletters.replay": ReplayDeadLetter(sequence=3),
    "deadletters.replay.reply": DeadLetterSettled(sequence=3, done=True),
    "deadletters.drop": DropDeadLetter(sequence=3),
    "deadletters.drop.reply": DeadLetterSettled(sequence=3, done=False),
    "refused": Problem("limit is 0; it must be between 1 and 100", "limit"),
}

ALL: dict[str, msgspec.Struct] = {
    **{event.subject: event for event in STORED},
    **{f"turn.stream.{event.type}": event for event in LIVE},
    **ASKED,
}
"""By the name of the golden file: the subject, without what stands for an id."""


def golden_text(message: msgspec.Struct) -> str:
    return msgspec.json.format(encode(message), indent=2).decode() + "\n"


if __name__ == "__main__":
    for name, message in ALL.items():
        (GOLDEN / f"{name}.json").write_text(golden_text(message))
