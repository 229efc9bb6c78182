"""What the orchestrator needs of the rest of the system, in its own words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from services.orchestrator.domain.queue import Claim, Lease, SessionKey
from services.orchestrator.domain.recipes import Chosen
from services.orchestrator.domain.turn import Turn
from services.orchestrator.stopping import Stopping
from services.orchestrator.tools.tool import Caller, ToolResult
from shared.events import AnyLiveEvent, Event, TurnRequested
from shared.replies import Generate, Generated, Hit, TurnRow


class Memory(Protocol):
    """What earlier turns hold. Raises Transient while it cannot be asked."""

    async def search(self, user: str, query: str, *, limit: int) -> list[Hit]:
        """Best first, without earlier questions that know nothing of their own."""
        ...

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        """The turns right before and after these, in their own sessions."""
        ...

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        """The session's latest, oldest first."""
        ...


class Model(Protocol):
    """Answers a prompt and streams the answer to the turn's subject by itself."""

    async def generate(self, request: Generate, stopping: Stopping) -> Generated:
        """Raises Refused where the request can never work, Transient where no engine is there.

        Told to stop, it stops the engine and returns what there was.
        """
        ...

    async def count_tokens(self, texts: Sequence[str], engine: str, model: str | None) -> list[int]:
        """Of each text, as near as anybody can tell."""
        ...

    async def abort(self, request_id: str) -> None:
        """Returns when nothing more of that generation will be streamed, or nobody has it."""
        ...


class Tools(Protocol):
    """The tools of this process, by name."""

    def allowed(self, patterns: Sequence[str]) -> list[str]:
        """The names that these names and beginnings (`memory.*`) stand for."""
        ...

    def described(self, names: Sequence[str]) -> str:
        """For a model: what each is for, and its arguments."""
        ...

    def schemas(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """JSON Schema of the arguments of each."""
        ...

    def needs_approval(self, name: str) -> bool:
        """Whether a person has to allow each call."""
        ...

    async def run(self, name: str, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """Whatever goes wrong is in the result."""
        ...


class Recipes(Protocol):
    """The recipes and roles as their files say it now."""

    def names(self) -> list[str]: ...

    def choose(self, name: str) -> Chosen | None:
        """Empty: the default. None where there is no such recipe."""
        ...


class SessionRecipes(Protocol):
    """The recipes that users have set for their sessions. Raises Transient."""

    async def recipe_of(self, user: str, session_id: str) -> str:
        """Empty where none is set."""
        ...

    async def sessions_of(self, user: str) -> list[str]:
        """The ids of those that something is set for, in order."""
        ...

    async def keep(self, user: str, session_id: str, recipe: str, at: datetime) -> None:
        """Empty: none is set any more."""
        ...


MakeEvent = Callable[[list[AnyLiveEvent]], AnyLiveEvent | None]
"""The next event of a turn, from all that were sent before: its index is their number."""


class Announcements(Protocol):
    """The turn's live stream."""

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None: ...

    async def join(self, turn_id: str, known: Sequence[AnyLiveEvent], make: MakeEvent) -> list[AnyLiveEvent]:
        """Sends the event that `make` makes behind everything that anybody has sent; returns all of them.

        `known` are those that are remembered elsewhere. Nothing is sent where `make` returns None. Raises
        Transient.
        """
        ...


class Documents(Protocol):
    """Turn folders. Writing is one atomic step: a folder is there whole or not at all."""

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        """False where the folder is there already: then it changes nothing. Raises Transient."""
        ...

    async def read(self, turn_id: str, name: str) -> str | None:
        """None where there is no such turn or document."""
        ...

    async def names(self, turn_id: str) -> list[str]: ...

    async def mark_used(self, turn_id: str) -> None:
        """Somebody has read it: it is not archived for a while."""
        ...

    async def turns_of(self, user: str, session_id: str | None = None) -> list[tuple[int, str]]:
        """(turn number, turn id) of a user's turns, or of those of a session, by number. Slow: reads all."""
        ...

    async def remove(self, turn_id: str) -> bool:
        """Takes a turn's documents away for good, wherever they are; True where there were any.

        No reader sees half of them. What a process left that died meanwhile goes too. Raises Transient.
        """
        ...

    async def rewrite(self, turn_id: str, files: Mapping[str, str]) -> None:
        """These documents alone are left of the turn; where it is archived, it stays so. Nothing where it is
        gone. A crash leaves each document as it was or as it shall be. Raises Transient."""
        ...

    async def highest_turn_number(self) -> int:
        """0 where there are none."""
        ...


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """An image as a model is given it: its first frame, upright, small, without what else the file said."""

    name: str
    """As it was uploaded."""
    data_url: str
    """`data:image/jpeg;base64,...` or png, below 700 KB."""


class Images(Protocol):
    """The images that users have uploaded, to look at."""

    async def picture(self, user: str, file_id: str) -> Picture:
        """Raises Refused, 404 where there is no such file, 415 where it cannot be looked at; Transient."""
        ...


class Packed(msgspec.Struct, frozen=True):
    """A turn that was archived: its documents' sizes, and its archive's."""

    bytes_before: int
    bytes_after: int


class OldTurns(Protocol):
    """Turns whose documents lie open, and the archive that they may go to. A reader sees no difference."""

    async def unused_since(self, moment: float) -> list[str]:
        """The names of those that nobody has written or read since (seconds of the epoch), oldest first."""
        ...

    async def size_of(self, name: str) -> int:
        """Bytes; 0 where it is gone."""
        ...

    async def pack(self, name: str) -> Packed | None:
        """None where there was nothing to do any more. May break off anywhere. Raises Transient."""
        ...


class LeaseLost(Exception):
    """Another process runs the session's turn now: whatever this one still does must change nothing."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that this process holds, at the revision that it wrote last."""

    session: SessionKey
    lease: Lease
    revision: int


class Leases(Protocol):
    """The right to run a session's turn, and how far that turn is."""

    async def claim(self, claim: Claim, lease: Lease) -> Held | None:
        """None where another one was faster. Raises Transient."""
        ...

    async def save(self, held: Held, lease: Lease, turn: Turn | None) -> Held:
        """Writes the lease with the turn as it is now. Waits while NATS is away. Raises LeaseLost."""
        ...

    async def look(self, session: SessionKey) -> tuple[Lease, int] | None:
        """The lease as it is now and its revision. Raises Transient."""
        ...

    async def turn_of(self, session: SessionKey) -> Turn | None:
        """The turn as it was saved last; None where it never was. Raises Transient."""
        ...


class Outcomes(Protocol):
    """Where the end of a turn is told."""

    async def publish(self, event: Event) -> None:
        """Returns when it is stored; the same event again is stored once. Raises Transient."""
        ...

    async def leave_queue(self, turn_number: int) -> None:
        """Takes the turn out of the stream of turns. Raises Transient."""
        ...

    async def refuse(self, turn_number: int, request: TurnRequested) -> None:
        """Puts a request aside that has the id of another turn, for a person to look at. Raises Transient."""
        ...
