"""What happens to a turn, on the streams TURNS and OUTCOMES. Message id: `<turn_id>:<subject>`.

A field without a description here means what it means in the turn's record (`turns.get`), which has them all.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from shared.contract.events.event import Event
from shared.contract.events.ids import LOCAL_USER, FileId, SessionId, TurnId, User
from shared.contract.events.images import MOST_IMAGES, SeenImage, said_with_images
from shared.contract.events.origins import Source
from shared.contract.events.tools import ClientTools
from shared.contract.events.usage import PhaseTiming, Timings, Usage

IfBusy = Literal["enqueue", "reject", "interrupt", "replace"]
"""What a new turn does while another turn of its session runs."""
Follows = Annotated[int, msgspec.Meta(ge=0)] | None
WhyCancelled = Literal["cancelled", "interrupted", "replaced"]


class TurnEvent(Event, frozen=True, kw_only=True):
    """Something that happened to a turn."""

    turn_id: TurnId

    @property
    def about(self) -> str:
        return self.turn_id


class TurnRequested(TurnEvent, frozen=True, kw_only=True):
    """anyone -> orchestrator: a user said something and wants an answer.

    The same turn published again, however late, is one turn and keeps its first number. Another turn under an
    id that is taken goes to `dead.orchestrator-turn-requested`.
    """

    subject: ClassVar[str] = "turn.requested"

    session_id: SessionId
    input: str
    """What the user says."""
    user: User = LOCAL_USER
    recipe: str = ""
    """The recipe that the turn runs by. Empty: its session's (`sessions.set`), else DEFAULT_RECIPE."""
    model: str | None = None
    """The model that shall answer; null: the engine chooses."""
    if_busy: IfBusy = "enqueue"
    """While another turn of the session runs: wait (`enqueue`), fail with `session_busy` (`reject`), stop the
    other turn and keep its partial answer (`interrupt`), or stop it and take its place (`replace`)."""
    metadata: dict[str, str] = {}
    """Texts of the client's own, kept with the turn."""
    images: Annotated[list[FileId], msgspec.Meta(max_length=MOST_IMAGES)] = []
    """Files of the user (`file.put`), in the order in which they are shown."""
    follows: Follows = None
    """The number of the turn of its session that it goes on from; 0: from none. null: from the last one."""
    tools: ClientTools = []
    """What the client can do for the turn, where the recipe has `client_tools`. A call comes as
    `tool.waiting` with `for_client`, and is answered with `result` (`turn.control.*`)."""


class AcceptedTurnEvent(TurnEvent, frozen=True, kw_only=True):
    """Something that happened to a turn once it had its number."""

    turn_number: int
    session_id: SessionId
    user: User


class TurnSaved(AcceptedTurnEvent, frozen=True, kw_only=True):
    """orchestrator -> indexer, orchestrator, gateway, anyone: the turn is written down.

    This is all that an index needs of it.
    """

    subject: ClassVar[str] = "turn.saved"

    input: str
    output: str
    recipe: str
    model: str
    topic: str
    intent: str
    keywords: list[str]
    quality: float
    turn_dir: str
    requested_at: datetime
    saved_at: datetime
    """When it was written down."""
    sources: list[Source] = []
    usage: Usage = Usage()
    timings: Timings = Timings()
    quoted: bool = False
    metadata: dict[str, str] = {}
    last_index: int = 0
    phases: list[PhaseTiming] = []
    images: list[SeenImage] = []
    follows: Follows = None

    @property
    def said(self) -> str:
        """What an index keeps of the user's words."""
        return said_with_images(self.input, self.images)


class TurnFailed(AcceptedTurnEvent, frozen=True, kw_only=True):
    """orchestrator -> orchestrator, gateway, anyone: the turn ended without an answer, and why."""

    subject: ClassVar[str] = "turn.failed"

    reason: str
    """One word for programs: `timeout`, `refused`, `unavailable`, `unknown_recipe`, `session_busy` or
    `internal`."""
    detail: str
    """One line for people."""
    failed_at: datetime
    """When it was given up."""
    usage: Usage = Usage()


class TurnCancelled(AcceptedTurnEvent, frozen=True, kw_only=True):
    """orchestrator -> indexer, orchestrator, gateway, anyone: the turn was stopped on request.

    What was generated is kept.
    """

    subject: ClassVar[str] = "turn.cancelled"

    cancelled_at: datetime
    """When it was stopped."""
    requested_at: datetime | None = None
    why: WhyCancelled = "cancelled"
    """Who stopped it: a user (`cancelled`), the next turn of its session (`interrupted`), or the next turn,
    which takes its place (`replaced`): the session goes on as if the turn had never been."""
    input: str = ""
    output: str = ""
    """What was generated until then."""
    recipe: str = ""
    model: str = ""
    images: list[SeenImage] = []
    follows: Follows = None
    usage: Usage = Usage()

    @property
    def said(self) -> str:
        """What an index keeps of the user's words."""
        return said_with_images(self.input, self.images)


class TurnIndexed(AcceptedTurnEvent, frozen=True, kw_only=True):
    """indexer -> anyone: search finds the turn from now on."""

    subject: ClassVar[str] = "turn.indexed"

    indexed_at: datetime
    """Search finds the turn from then on."""
