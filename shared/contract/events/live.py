"""What a reader of one turn sees: one step of the turn each, on `turn.stream.<turn_id>`.

`type` tells the events apart. They have no message id. A field that is at its default is left out.
[delivery.md](delivery.md#reading-live-events) has the rules that a reader keeps.
"""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from shared.contract.events.origins import Source
from shared.contract.events.turns import WhyCancelled
from shared.contract.events.usage import Usage
from shared.contract.subjects import JOINING, LIVE


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """orchestrator, inference -> gateway, anyone: one step of one turn, on `turn.stream.<turn_id>`."""

    index: int
    """Its place in the turn: from 0, without gaps."""
    attempt: int = 1
    """Rises when the turn is run again. What an earlier attempt sends after that is void."""

    @property
    def type(self) -> str:
        return str(self.__struct_config__.tag)


class LiveTurnEvent(LiveEvent, frozen=True, kw_only=True):
    """A step that names its turn: the first one, or the last."""

    turn_id: str
    turn_number: int
    session_id: str


class Queued(LiveTurnEvent, frozen=True, kw_only=True, tag="turn.queued"):
    """orchestrator -> anyone: the turn is accepted. Index 0.

    It comes again when the place of a waiting turn has changed, and when a turn that waited is taken. It
    names the owner, so that a gateway knows who may read on.
    """

    user: str
    position: int = 0
    """Turns that go before this one, of all users. 0 also where that is not known yet."""
    estimate_seconds: float = 0.0
    """Seconds until it begins, by what the last turns took. 0 where nothing is known."""


class PhaseStarted(LiveEvent, frozen=True, kw_only=True, tag="phase.started"):
    """orchestrator -> anyone: a phase begins."""

    phase: str
    """`look`, `analysis`, `gate`, `gather`, `plan`, `coordinate`, `synthesis` or `validation`; not `save`."""


class PhaseEnded(LiveEvent, frozen=True, kw_only=True, tag="phase.ended"):
    """orchestrator -> anyone: a phase is over."""

    phase: str
    """As in `phase.started`."""
    seconds: float
    """How long it took."""


class SourcesFound(LiveEvent, frozen=True, kw_only=True, tag="turn.sources"):
    """orchestrator -> anyone: what memory found, before the answer begins."""

    sources: list[Source]
    """What the answer stands on."""
    degraded: list[str] = []
    """What could not be asked: `memory` while the indexer or one of its stores is away."""


class ToolStarted(LiveEvent, frozen=True, kw_only=True, tag="tool.started"):
    """orchestrator -> anyone: a planned tool is called."""

    call: str
    """The call's id in the plan."""
    tool: str
    """The tool's name, such as `memory.search`."""


class ToolWaiting(LiveEvent, frozen=True, kw_only=True, tag="tool.waiting"):
    """orchestrator -> anyone: a person has to allow the call (`approve` or `deny`), or the client that
    offered the tool has to make it, and to say what came of it (`result`).

    The turn goes on when that is done, or when the time is over.
    """

    call: str
    """The call's id in the plan."""
    tool: str
    """The tool's name, such as `memory.search`."""
    key: str
    """What to name to `approve` or `deny` this call alone, or with its `result`."""
    arguments: dict[str, Any]
    """What the tool would be called with."""
    seconds: float
    """Seconds until the call is given up."""
    for_client: bool = False
    """True: the client makes the call, and no person is asked."""
    left: int = 0
    """How many further calls for the client follow at once."""


class ToolEnded(LiveEvent, frozen=True, kw_only=True, tag="tool.ended"):
    """orchestrator -> anyone: a tool has answered. Its result stands in the turn's document."""

    call: str
    """The call's id in the plan."""
    tool: str
    """The tool's name, such as `memory.search`."""
    seconds: float
    """How long it took."""
    ok: bool
    """False where the tool could not do what it was asked."""


class Steered(LiveEvent, frozen=True, kw_only=True, tag="turn.steered"):
    """orchestrator -> anyone: a message was added to the running turn."""

    text: str
    """What was added."""
    takes_effect: str
    """The first phase that knows of it."""


class OutputDelta(LiveEvent, frozen=True, kw_only=True, tag="output.delta"):
    """inference, orchestrator -> anyone: the next words of the answer."""

    text: str
    """One or more tokens. The deltas of a turn, joined, are its output."""


class OutputRestarted(LiveEvent, frozen=True, kw_only=True, tag="output.restarted"):
    """orchestrator -> anyone: the turn runs again from its last checkpoint, after an attempt was cut off.

    What was sent of its output before is void.
    """


class Paused(LiveEvent, frozen=True, kw_only=True, tag="turn.paused"):
    """orchestrator -> anyone: something that the turn needs is away. The turn waits, and goes on by itself.

    Not sent for pauses under 2 seconds.
    """

    seconds: float
    """Until the next attempt."""
    reason: str
    """What is away, or asked to wait; one line for people."""


class Saved(LiveTurnEvent, frozen=True, kw_only=True, tag="turn.saved"):
    """orchestrator -> anyone: the whole answer. The last event."""

    output: str
    sources: list[Source]
    usage: Usage
    model: str


class Failed(LiveTurnEvent, frozen=True, kw_only=True, tag="turn.failed"):
    """orchestrator -> anyone: no answer, and why. The last event."""

    reason: str
    """As in the stored event `turn.failed`: one word for programs."""
    detail: str
    """One line for people."""


class Cancelled(LiveTurnEvent, frozen=True, kw_only=True, tag="turn.cancelled"):
    """orchestrator -> anyone: the turn was stopped on request. The last event."""

    why: WhyCancelled = "cancelled"
    """As in the stored event `turn.cancelled`."""
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
    | Paused
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
    return LIVE.format(turn_id=turn_id)


def joining_subject(turn_id: str) -> str:
    """Stored as if it were sent on `live_subject`, but no reader hears it: for what may still be refused."""
    return JOINING.format(turn_id=turn_id)
