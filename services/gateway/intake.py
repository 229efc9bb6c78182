"""From a user's words to a stored turn: checks, keys, and what a busy session says."""

from asyncio import get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

import msgspec
from uuid_utils import uuid7

from services.gateway.domain.content import Images, InlineImage, images_of, text_of
from services.gateway.domain.idempotency import Promise, Written, check_same_body, hash_of_body
from services.gateway.domain.joining import Frame
from services.gateway.domain.views import NewTurn
from services.gateway.lookup import number_of
from services.gateway.ports import LiveTurns, Promises, Reader, Turns
from services.gateway.refusals import SessionBusy, checked_size
from services.gateway.uploads import upload
from shared.errors import Refused
from shared.events import Failed, TurnRequested, decode_live
from shared.replies import (
    FindRunning,
    GetFile,
    Models,
    Recipes,
)

_KNOWN_SECONDS = 5.0
"""How long the lists of recipes and models are believed."""
_OUTCOME_SECONDS = 1.0
"""How long a turn that may be rejected is watched, before it is said to be accepted."""


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that may be handed in: everything about it is checked and drawn."""

    turn: TurnRequested
    key: str | None = None
    written: Written | None = None
    """What the key promises."""
    number: int | None = None
    """The turn's number, where it was handed in before."""
    is_repeat: bool = False


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A stored turn with a reader of its events, who has read `first` of them."""

    turn: TurnRequested
    number: int
    reader: Reader
    first: list[Frame]


class Intake:
    """Takes turns in. What could never be answered is refused (4xx) before it is stored, not after."""

    def __init__(self, turns: Turns, live: LiveTurns, promises: Promises, *, input_limit_bytes: int) -> None:
        self._turns = turns
        self._live = live
        self._promises = promises
        self._input_limit = input_limit_bytes
        self._names: dict[str, tuple[float, list[str]]] = {}

    async def accept(self, new: NewTurn, user: str, key: str | None) -> tuple[TurnRequested, int]:
        """The turn and its number, once it is stored."""
        order = await self._order(new, user, key)
        if new.if_busy == "reject":
            async with self._opened(order) as opened:
                return opened.turn, opened.number
        return order.turn, await self._hand_in(order)

    async def open(self, new: NewTurn, user: str, key: str | None, stack: AsyncExitStack) -> Opened:
        """Stores the turn; from then on `stack` holds a reader of it."""
        return await stack.enter_async_context(self._opened(await self._order(new, user, key)))

    @asynccontextmanager
    async def _opened(self, order: Ordered) -> AsyncIterator[Opened]:
        """Listens first and hands in then, so that no event is missed."""
        turn = order.turn
        async with self._live.follow(
            turn.turn_id, turn.user, after=-1, from_the_start=not order.is_repeat
        ) as reader:
            number = await self._hand_in(order)
            first = await self._outcome(turn, reader) if turn.if_busy == "reject" else []
            yield Opened(turn=turn, number=number, reader=reader, first=first)

    async def _hand_in(self, order: Ordered) -> int:
        if order.number is not None:
            return order.number
        number = await self._turns.accept(order.turn)
        await self._keep(order, number)
        return number

    async def _keep(self, order: Ordered, number: int) -> None:
        if order.key is not None and order.written is not None:
            promise = msgspec.structs.replace(order.written.promise, turn_number=number)
            await self._promises.keep(order.turn.user, order.key, Written(promise, order.written.revision))

    # --- which turn it is ---

    async def _order(self, new: NewTurn, user: str, key: str | None) -> Ordered:
        drawn, images = str(uuid7()), images_of(new.input)
        if key is None:
            await self._check(new, images, user, drawn)
            return Ordered(turn=_requested(new, images, user, drawn, new.session_id or str(uuid7())))
        written = await self._promises.find(user, key)
        if written is None:
            await self._check(new, images, user, drawn)
            promise = Promise(
                turn_id=drawn, session_id=new.session_id or str(uuid7()), body_hash=hash_of_body(new)
            )
            written = await self._promises.make(user, key, promise)
        promise = written.promise
        check_same_body(promise, new)
        turn = _requested(new, images, user, promise.turn_id, promise.session_id)
        if promise.turn_id == drawn:
            return Ordered(turn=turn, key=key, written=written)
        order = Ordered(turn=turn, key=key, written=written, number=promise.turn_number, is_repeat=True)
        return order if promise.turn_number is not None else await self._found(order, images)

    async def _found(self, order: Ordered, images: Images) -> Ordered:
        """Nobody wrote down whether the first request got as far as handing the turn in."""
        number = await number_of(self._turns, order.turn.turn_id, order.turn.user)
        if number is None:
            await self._bring_images(images, order.turn.user, order.turn.turn_id)
            return order
        await self._keep(order, number)
        return msgspec.structs.replace(order, number=number)

    # --- whether it may be handed in ---

    async def _check(self, new: NewTurn, images: Images, user: str, turn_id: str) -> None:
        """Raises Refused. The images come last: what is refused leaves nothing behind."""
        checked_size(text_of(new.input), self._input_limit, "input")
        recipes = await self._known(self._recipes)
        if new.recipe and new.recipe not in recipes:
            raise Refused(
                422, f"there is no recipe {new.recipe!r}; there are: {', '.join(recipes)}", "recipe"
            )
        if new.model is not None and new.model not in (models := await self._known(self._models)):
            raise Refused(422, f"there is no model {new.model!r}; there are: {', '.join(models)}", "model")
        if new.if_busy == "reject" and new.session_id is not None:
            running = await self._running(user, new.session_id)
            if running is not None:
                raise SessionBusy(new.session_id, running)
        await self._bring_images(images, user, turn_id)

    async def _bring_images(self, images: Images, user: str, turn_id: str) -> None:
        """Those that came with the turn are kept as files, and the others are there. Raises Refused."""
        try:
            for file_id in images:
                if isinstance(file_id, str):
                    await self._turns.ask(GetFile(user=user, file_id=file_id))
            for number, image in enumerate(images, 1):
                if isinstance(image, InlineImage):
                    await upload(self._turns.ask, user, _file_id(turn_id, number), image.name, image.data)
        except Refused as refusal:
            status = 422 if refusal.status == 404 else refusal.status
            raise Refused(status, refusal.detail, "input") from refusal

    async def _outcome(self, turn: TurnRequested, reader: Reader) -> list[Frame]:
        """What a turn says first. Another one of its session may have been faster since the check."""
        until = get_running_loop().time() + _OUTCOME_SECONDS
        frames: list[Frame] = []
        while not reader.ended and (left := until - get_running_loop().time()) > 0:
            frames += await reader.read(left)
            if any(frame.type != "turn.queued" for frame in frames):
                break
        end = decode_live(frames[-1].body) if frames and frames[-1].is_last else None
        if isinstance(end, Failed) and end.reason == "session_busy":
            raise SessionBusy(turn.session_id, await self._running(turn.user, turn.session_id))
        return frames

    async def _running(self, user: str, session_id: str) -> str | None:
        reply = await self._turns.ask(FindRunning(user=user, session_id=session_id))
        return reply.turn.turn_id if reply.turn is not None else None

    async def _recipes(self) -> list[str]:
        return (await self._turns.ask(Recipes())).names

    async def _models(self) -> list[str]:
        return (await self._turns.ask(Models())).models

    async def _known(self, ask: Callable[[], Awaitable[list[str]]]) -> list[str]:
        until, names = self._names.get(ask.__name__, (0.0, []))
        if monotonic() >= until:
            names = await ask()
            self._names[ask.__name__] = (monotonic() + _KNOWN_SECONDS, names)
        return names


def _file_id(turn_id: str, number: int) -> str:
    """The same again for the same turn: a file that is put twice is one."""
    return f"file-{turn_id}-{number}"


def _requested(new: NewTurn, images: Images, user: str, turn_id: str, session_id: str) -> TurnRequested:
    return TurnRequested(
        turn_id=turn_id,
        session_id=session_id,
        user=user,
        input=text_of(new.input),
        recipe=new.recipe,
        model=new.model,
        if_busy=new.if_busy,
        metadata=new.metadata,
        images=[
            one if isinstance(one, str) else _file_id(turn_id, number) for number, one in enumerate(images, 1)
        ],
    )
