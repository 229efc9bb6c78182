"""What a reader of one turn sees on `turn.stream.<turn_id>`."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from shared.events.names import Source, Usage, WhyCancelled


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """orchestrator, inference -> gateway, anyone: one step of one turn, on `turn.stream.<turn_id>`."""

    index: int
    """Position in the turn, from 0, without gaps."""
    attempt: int = 1
    """Rises when the turn is run again. What an earlier attempt still sends behind a later one is void."""

    @property
    def type(self) -> str:
        return str(self.__struct_config__.tag)


class Queued(LiveEvent, frozen=True, kw_only=True, tag="turn.queued"):
    """Index 0: the turn is accepted. Again whenever the place of a waiting turn has changed.

    Names the turn's owner, so that a gateway knows who may read on.
    """

    turn_id: str
    turn_number: int
    session_id: str
    user: str
    position: int = 0
    """Turns that go before this one, of all users; 0 also where that is not known yet."""
    estimate_seconds: float = 0.0
    """Until it begins, by what the last turns took; 0 where nothing is known."""


class PhaseStarted(LiveEvent, frozen=True, kw_only=True, tag="phase.started"):
    phase: str


class PhaseEnded(LiveEvent, frozen=True, kw_only=True, tag="phase.ended"):
    phase: str
    seconds: float


class SourcesFound(LiveEvent, frozen=True, kw_only=True, tag="turn.sources"):
    sources: list[Source]
    degraded: list[str] = []
    """What could not be asked: `memory` while the indexer or one of its stores is away."""


class ToolStarted(LiveEvent, frozen=True, kw_only=True, tag="tool.started"):
    call: str
    """Its id in the plan."""
    tool: str


class ToolWaiting(LiveEvent, frozen=True, kw_only=True, tag="tool.waiting"):
    """A person has to allow the call; the turn goes on when one does, or when the time is over."""

    call: str
    tool: str
    key: str
    """What to name to `approve` or `deny` this call alone."""
    arguments: dict[str, Any]
    seconds: float
    """Until it is given up."""


class ToolEnded(LiveEvent, frozen=True, kw_only=True, tag="tool.ended"):
    call: str
    tool: str
    seconds: float
    ok: bool
    """False where the tool could not do it."""


class Steered(LiveEvent, frozen=True, kw_only=True, tag="turn.steered"):
    """A message that was added to the running turn."""

    text: str
    takes_effect: str
    """The phase that is the first to know of it."""


class OutputDelta(LiveEvent, frozen=True, kw_only=True, tag="output.delta"):
    text: str
    """One or more tokens; the deltas of a turn joined are its output."""


class OutputRestarted(LiveEvent, frozen=True, kw_only=True, tag="output.restarted"):
    """The turn begins anew: what was sent of its output before is void."""


class Saved(LiveEvent, frozen=True, kw_only=True, tag="turn.saved"):
    turn_id: str
    turn_number: int
    session_id: str
    output: str
    sources: list[Source]
    usage: Usage
    model: str


class Failed(LiveEvent, frozen=True, kw_only=True, tag="turn.failed"):
    turn_id: str
    turn_number: int
    session_id: str
    reason: str
    detail: str


class Cancelled(LiveEvent, frozen=True, kw_only=True, tag="turn.cancelled"):
    turn_id: str
    turn_number: int
    session_id: str
    why: WhyCancelled = "cancelled"
    output: str = ""
    """What was generated until then."""


AnyLiveEvent = (
    Queued
    | PhaseStarted
    | PhaseEnded
    | SourcesFound
    | ToolStarted
    | ToolWaiting
    | ToolEnded
    | Steered
    | OutputDelta
    | OutputRestarted
    | Saved
    | Failed
    | Cancelled
)
LIVE_EVENTS: tuple[type[LiveEvent], ...] = get_args(AnyLiveEvent)
LAST_EVENTS = (Saved, Failed, Cancelled)
"""One of these ends every turn's stream."""


def output_of(events: Sequence[AnyLiveEvent]) -> str:
    """The text so far, without what a restart has made void."""
    texts: list[str] = []
    for event in events:
        if isinstance(event, OutputDelta):
            texts.append(event.text)
        elif isinstance(event, OutputRestarted):
            texts.clear()
    return "".join(texts)


def live_subject(turn_id: str) -> str:
    return f"turn.stream.{turn_id}"


def joining_subject(turn_id: str) -> str:
    """Stored as if it were sent on `live_subject`, and heard by nobody: for what may still be refused."""
    return f"turn.join.{turn_id}"
