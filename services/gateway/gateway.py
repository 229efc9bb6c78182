"""What the gateway does between HTTP and the bus: checks, hands in, finds a turn where it is now."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import TypeVar

from uuid_utils import uuid7

from services.gateway.domain.live_turn import events_of_record, view_of_events
from services.gateway.domain.views import AcceptedTurn, NewTurn, TurnView, links_of, view_of_record
from services.gateway.ports import Frame, LiveTurns, Turns
from services.gateway.sse import event_bytes, event_stream
from shared.errors import Refused
from shared.events import Queued, TurnRequested, encode
from shared.replies import GetTurn, Models, Recipes, Request, TurnRecord

R = TypeVar("R")
_TURN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KNOWN_SECONDS = 5.0
"""How long the lists of recipes and models are believed."""


class Gateway:
    """Knows nothing but how to ask."""

    def __init__(
        self, turns: Turns, live: LiveTurns, *, input_limit_bytes: int, heartbeat_seconds: float
    ) -> None:
        self._turns = turns
        self._live = live
        self._input_limit = input_limit_bytes
        self._heartbeat = heartbeat_seconds
        self._names: dict[str, tuple[float, list[str]]] = {}

    async def ask(self, request: Request[R]) -> R:
        return await self._turns.ask(request)

    @staticmethod
    def checked_id(turn_id: str) -> str:
        if not _TURN_ID.fullmatch(turn_id):
            raise Refused(404, f"there is no turn {turn_id!r}; a turn's id is what POST /v1/turns answered")
        return turn_id

    # --- handing in ---

    async def accept(self, new: NewTurn, user: str) -> AcceptedTurn:
        turn = await self._checked(new, user)
        number = await self._turns.accept(turn)
        return AcceptedTurn(
            id=turn.turn_id,
            turn_number=number,
            session_id=turn.session_id,
            status="queued",
            links=links_of(turn.turn_id),
        )

    async def accept_and_stream(self, new: NewTurn, user: str) -> AsyncIterator[bytes]:
        """Listens first and hands in then, so that no event is missed; the first byte means: stored."""
        turn = await self._checked(new, user)
        async with AsyncExitStack() as stack:
            runs = await stack.enter_async_context(
                self._live.follow(
                    turn.turn_id, after=-1, heartbeat_seconds=self._heartbeat, from_the_start=True
                )
            )
            await self._turns.accept(turn)
            # From here on the stream owns the subscription, and ends it when the reader leaves.
            kept = stack.pop_all()
        return event_stream(_kept(kept, runs))

    async def _checked(self, new: NewTurn, user: str) -> TurnRequested:
        """Raises Refused (4xx) for what could never be answered: before it is stored, not after."""
        if not new.input.strip():
            raise Refused(422, "input is empty; say something", "input")
        size = len(new.input.encode())
        if size > self._input_limit:
            raise Refused(
                413,
                f"input has {size} bytes; at most {self._input_limit} are taken (INPUT_LIMIT_BYTES)",
                "input",
            )
        recipes = await self._known(self._recipes)
        if new.recipe not in recipes:
            raise Refused(
                422, f"there is no recipe {new.recipe!r}; there are: {', '.join(recipes)}", "recipe"
            )
        if new.model is not None and new.model not in (models := await self._known(self._models)):
            raise Refused(422, f"there is no model {new.model!r}; there are: {', '.join(models)}", "model")
        return TurnRequested(
            turn_id=str(uuid7()),
            session_id=new.session_id or str(uuid7()),
            user=user,
            input=new.input,
            recipe=new.recipe,
            model=new.model,
            metadata=new.metadata,
        )

    async def _recipes(self) -> list[str]:
        return (await self.ask(Recipes())).names

    async def _models(self) -> list[str]:
        return (await self.ask(Models())).models

    async def _known(self, ask: Callable[[], Awaitable[list[str]]]) -> list[str]:
        until, names = self._names.get(ask.__name__, (0.0, []))
        if monotonic() >= until:
            names = await ask()
            self._names[ask.__name__] = (monotonic() + _KNOWN_SECONDS, names)
        return names

    # --- looking ---

    async def turn(self, turn_id: str, user: str) -> TurnView:
        """From its documents where it has ended, else from its live events."""
        if (record := await self._record(turn_id, user)) is not None:
            return view_of_record(record)
        events = await self._live.replay(turn_id)
        if not events:
            raise _no_such_turn(turn_id)
        view = view_of_events(
            events, await self._turns.input_of(_owned(events[0], turn_id, user).turn_number)
        )
        if view.status in ("queued", "running"):
            return view
        # It ended between the two looks: its documents are there by now.
        record = await self._record(turn_id, user)
        return view if record is None else view_of_record(record)

    async def stream(self, turn_id: str, user: str, after: int) -> AsyncIterator[bytes]:
        """Every event after `after`: live ones as long as they are kept, then from the turn's documents."""
        self.checked_id(turn_id)
        events = await self._live.replay(turn_id)
        if events:
            _owned(events[0], turn_id, user)
            return event_stream(
                self._live.follow(
                    turn_id, after=after, heartbeat_seconds=self._heartbeat, from_the_start=False
                )
            )
        record = await self._record(turn_id, user)
        if record is None:
            raise _no_such_turn(turn_id)
        return _replayed(record, after)

    async def _record(self, turn_id: str, user: str) -> TurnRecord | None:
        try:
            return await self.ask(GetTurn(user=user, turn_id=self.checked_id(turn_id)))
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise


@asynccontextmanager
async def _kept(stack: AsyncExitStack, value: R) -> AsyncIterator[R]:
    async with stack:
        yield value


async def _replayed(record: TurnRecord, after: int) -> AsyncIterator[bytes]:
    frames = [Frame(event.index, event.type, encode(event)) for event in events_of_record(record)]
    yield event_bytes(frame for frame in frames if frame.index > after)


def _owned(first: object, turn_id: str, user: str) -> Queued:
    """A stranger's turn is answered like one that does not exist."""
    if not isinstance(first, Queued) or first.user != user:
        raise _no_such_turn(turn_id)
    return first


def _no_such_turn(turn_id: str) -> Refused:
    return Refused(404, f"there is no turn {turn_id!r}")
