"""The tools that the Model Context Protocol offers: what they take, what they may, and what they do."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from services.gateway.asking.ports import Ask
from services.gateway.http.callers import Caller
from services.gateway.live.joining import Frame
from services.gateway.memory.memories import NewMemory
from services.gateway.memory.search import NewSearch, SearchResult, search_of
from services.gateway.turns.idempotency import checked_key
from services.gateway.turns.intake import Intake
from services.gateway.turns.lookup import Lookup
from services.gateway.turns.views import NewTurn
from shared.contract.abilities import Ability
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import SessionId, Source, decode_live
from shared.contract.memories import Label, Memory, MemoryKind, Moment, Statement
from shared.contract.requests import (
    ListMemories,
    ListMemoriesReply,
    MemoryFilter,
    SaveMemory,
    TurnStatus,
)

A = TypeVar("A", bound=msgspec.Struct)
Progress = Callable[[str], Awaitable[None]]
"""Tells the client what happens meanwhile."""
_SILENCE_SECONDS = 15.0


class Tool(msgspec.Struct, Generic[A], frozen=True, kw_only=True):
    """`ability` and `needs_room` mean what they mean for a route."""

    name: str
    description: str
    ability: Ability
    arguments: type[A]
    run: Callable[[A, Caller, Progress], Awaitable[msgspec.Struct]]
    """Raises Refused and Transient."""
    needs_room: bool = False

    async def call(self, given: dict[str, Any], caller: Caller, progress: Progress) -> msgspec.Struct:
        """Raises msgspec.ValidationError as well, where the arguments are not as declared."""
        return await self.run(msgspec.convert(given, self.arguments), caller, progress)


class NewQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=1, description="What the user says or asks.")]
    session_id: Annotated[
        SessionId | None, msgspec.Meta(description="The session to go on with. Left out: a new one.")
    ] = None
    recipe: Annotated[str, msgspec.Meta(description="How it is answered. Left out: the usual way.")] = ""
    idempotency_key: Annotated[
        str | None,
        msgspec.Meta(description="The same key again, within 24 hours, is the same turn."),
    ] = None


class WhichTurn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    turn_id: Annotated[str, msgspec.Meta(description="As ask, search and the documents name it.")]


class WhichMemories(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    words: Annotated[
        str, msgspec.Meta(max_length=256, description="All of these words stand in the text, in any case.")
    ] = ""
    kinds: Annotated[list[MemoryKind], msgspec.Meta(description="Of these kinds. Left out: of all.")] = []
    subject: Annotated[
        Label | None, msgspec.Meta(description="Whom or what it is about: `user`, or a name.")
    ] = None
    as_of: Annotated[
        Moment | None, msgspec.Meta(description="Those that held then. Left out: those that hold now.")
    ] = None
    with_history: Annotated[bool, msgspec.Meta(description="Also those that are outdated.")] = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn, as its client reads it."""

    turn_id: str
    session_id: str
    status: TurnStatus
    input: str
    output: str
    sources: list[Source]
    error: str | None = None


class Tools:
    """What the tools do, by the means of the routes."""

    def __init__(self, ask: Ask, intake: Intake, lookup: Lookup) -> None:
        self._ask = ask
        self._intake = intake
        self._lookup = lookup

    def listed(self) -> list[Tool[Any]]:
        return [
            Tool(
                name="ask",
                description="Ask the assistant that remembers this user. It searches its memory, answers, "
                "and remembers the turn. The answer comes with the earlier turns that it stands on.",
                ability=Ability.TURNS_WRITE,
                needs_room=True,
                arguments=NewQuestion,
                run=self._answer,
            ),
            Tool(
                name="search",
                description="Search by meaning what was said to the assistant, what is known and what was "
                "read on the web.",
                ability=Ability.MEMORY_READ,
                arguments=NewSearch,
                run=self._search,
            ),
            Tool(
                name="remember",
                description="Remember a fact, a preference or a note about the user, in one sentence. "
                "A newer statement takes the place of an older one.",
                ability=Ability.MEMORY_WRITE,
                needs_room=True,
                arguments=NewMemory,
                run=self._remember,
            ),
            Tool(
                name="recall",
                description="List the facts, preferences and notes that hold now, the latest first.",
                ability=Ability.MEMORY_READ,
                arguments=WhichMemories,
                run=self._recall,
            ),
            Tool(
                name="get_turn",
                description="One turn by its id, whatever its state: the answer so far, and its sources.",
                ability=Ability.TURNS_READ,
                arguments=WhichTurn,
                run=self._turn,
            ),
        ]

    async def _answer(self, new: NewQuestion, caller: Caller, progress: Progress) -> Turn:
        """Waits for the end of the turn, which goes on where the client leaves."""
        key = None if new.idempotency_key is None else checked_key(new.idempotency_key)
        turn = NewTurn(input=new.text, session_id=new.session_id, recipe=new.recipe)
        followed = await self._intake.accept_and_follow(turn, caller.name, key)
        turn_id = followed.accepted.id
        await progress(f"turn {turn_id} is stored")
        async with followed.events as reader:
            await _tell(followed.first, progress)
            while not reader.ended:
                await _tell(await reader.read(_SILENCE_SECONDS), progress)
        ended = await self._turn(WhichTurn(turn_id=turn_id), caller, progress)
        if ended.status != "saved":
            raise Refused(500, f"turn {turn_id} has no answer: {ended.error or ended.status}")
        return ended

    async def _search(self, new: NewSearch, caller: Caller, _: Progress) -> SearchResult:
        return SearchResult(hits=(await self._ask(search_of(new, caller))).hits)

    async def _remember(self, new: NewMemory, caller: Caller, _: Progress) -> Memory:
        return await self._ask(
            SaveMemory(user=caller.name, statement=derive(Statement, new), memory_id=new.id)
        )

    async def _recall(self, which: WhichMemories, caller: Caller, _: Progress) -> ListMemoriesReply:
        where = derive(MemoryFilter, which)
        return await self._ask(ListMemories(user=caller.name, where=where, limit=which.limit))

    async def _turn(self, which: WhichTurn, caller: Caller, _: Progress) -> Turn:
        found = await self._lookup.turn(which.turn_id, caller.name)
        return derive(Turn, found, turn_id=found.id)


async def _tell(frames: Sequence[Frame], progress: Progress) -> None:
    for frame in frames:
        if frame.type in _TOLD:
            await progress(_TOLD[frame.type].format(decode_live(frame.body)))


_TOLD = {
    "phase.started": "{0.phase}",
    "tool.started": "calls {0.tool}",
    "tool.waiting": "{0.tool} waits for a person to allow it",
    "turn.paused": "{0.reason}; goes on in {0.seconds:g} s",
}
"""What a client is told of a turn's events."""


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Returns the JSON Schema of a tool's arguments: an object, with what it refers to below `$defs`."""
    _, found = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    own: dict[str, Any] = found.pop(kind.__name__)
    return own | ({"$defs": found} if found else {})


def text_of(result: msgspec.Struct) -> str:
    """Returns what a model reads: of a turn that was answered its answer and sources, else JSON."""
    if not isinstance(result, Turn) or result.status != "saved":
        return msgspec.json.encode(result).decode()
    sources = [f"- {source.name}: {source.quote}" for source in result.sources]
    ids = f"(turn {result.turn_id}, session {result.session_id})"
    return "\n".join([result.output, "", *(["Sources", *sources] if sources else []), ids])
