"""From a user's words to a stored turn."""

from asyncio import get_running_loop
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

import msgspec
from uuid_utils import uuid7

from services.gateway.live.joining import Frame
from services.gateway.live.ports import LiveTurns, Reader
from services.gateway.live.sse import EventStream, OpenStreams
from services.gateway.turns.admission import Admission
from services.gateway.turns.content import Images, file_id_of, images_of, text_of
from services.gateway.turns.control import Controls
from services.gateway.turns.idempotency import Promise, Written, check_same_body, hash_of_body
from services.gateway.turns.lookup import Lookup
from services.gateway.turns.ports import Promises, Turns
from services.gateway.turns.refusals import SessionBusy
from services.gateway.turns.views import AcceptedTurn, NewTurn, accepted_view
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import Failed, TurnRequested, decode_live

R = TypeVar("R")
_OUTCOME_SECONDS = 1.0
"""How long a turn that may be rejected is watched, before the client is told that it is accepted."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that may be handed in: everything about it is checked, and its ids are drawn."""

    turn: TurnRequested
    key: str | None = None
    written: Written | None = None
    """What the key promises."""
    number: int | None = None
    """The turn's number, where it was handed in before."""
    is_repeat: bool = False


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A stored turn with a reader of its events, who has read `first` of them."""

    order: Order
    number: int
    reader: Reader
    first: list[Frame]


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A stored turn and its events, of which `first` were read already. `events` is to be entered once."""

    accepted: AcceptedTurn
    events: AbstractAsyncContextManager[Reader]
    first: list[Frame]


class Intake:
    """Takes turns in: each request is checked, gets its turn's id, and is handed in once."""

    def __init__(
        self,
        turns: Turns,
        promises: Promises,
        live: LiveTurns,
        streams: OpenStreams,
        admission: Admission,
        lookup: Lookup,
        controls: Controls,
    ) -> None:
        self._turns = turns
        self._promises = promises
        self._live = live
        self._streams = streams
        self._admission = admission
        self._lookup = lookup
        self._controls = controls

    async def accept(self, new: NewTurn, user: str, key: str | None) -> AcceptedTurn:
        """Returns when the turn is stored."""
        order = await self._order(new, user, key)
        if new.if_busy == "reject":
            async with self._opened(order) as opened:
                return accepted_view(order.turn, opened.number)
        return accepted_view(order.turn, await self._hand_in(order))

    async def accept_and_stream(self, new: NewTurn, user: str, key: str | None) -> EventStream:
        """The first byte of the stream means: the turn is stored."""
        followed = await self.accept_and_follow(new, user, key)
        on_left = partial(self._controls.cancel_left, followed.accepted.id, user)
        return self._streams.response(
            followed.events, followed.first, on_left if new.on_disconnect == "cancel" else None
        )

    async def accept_and_follow(self, new: NewTurn, user: str, key: str | None) -> Followed:
        """Returns when the turn is stored. The caller owns the subscription, and ends it."""
        order = await self._order(new, user, key)
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(self._opened(order))
            kept = stack.pop_all()
        return Followed(
            accepted=accepted_view(order.turn, opened.number),
            events=_kept(kept, opened.reader),
            first=opened.first,
        )

    async def resume(self, turn_id: str, user: str, after: int) -> Followed:
        """Follows a turn that was accepted before, from its events after `after` on. Raises Refused (404)."""
        turn = await self._lookup.turn(turn_id, user)
        return Followed(
            accepted=derive(AcceptedTurn, turn),
            events=self._live.follow(turn_id, user, after=after, from_the_start=False),
            first=[],
        )

    @asynccontextmanager
    async def _opened(self, order: Order) -> AsyncIterator[Opened]:
        """Subscribes first and hands in then, so that no event is missed."""
        turn = order.turn
        async with self._live.follow(
            turn.turn_id, turn.user, after=-1, from_the_start=not order.is_repeat
        ) as reader:
            number = await self._hand_in(order)
            first = await self._outcome(turn, reader) if turn.if_busy == "reject" else []
            yield Opened(order=order, number=number, reader=reader, first=first)

    async def _hand_in(self, order: Order) -> int:
        if order.number is not None:
            return order.number
        number = await self._turns.accept(order.turn)
        await self._keep(order, number)
        return number

    async def _keep(self, order: Order, number: int) -> None:
        if order.key is not None and order.written is not None:
            promise = msgspec.structs.replace(order.written.promise, turn_number=number)
            await self._promises.keep(order.turn.user, order.key, Written(promise, order.written.revision))

    async def _outcome(self, turn: TurnRequested, reader: Reader) -> list[Frame]:
        """Returns the turn's first events. Another turn of its session may have begun since the check."""
        until = get_running_loop().time() + _OUTCOME_SECONDS
        frames: list[Frame] = []
        while not reader.ended and (left := until - get_running_loop().time()) > 0:
            frames += await reader.read(left)
            if any(frame.type != "turn.queued" for frame in frames):
                break
        end = decode_live(frames[-1].body) if frames and frames[-1].is_last else None
        if isinstance(end, Failed) and end.reason == "session_busy":
            running = await self._admission.running_turn(turn.user, turn.session_id)
            raise SessionBusy(turn.session_id, running)
        return frames

    # --- which turn it is ---

    async def _order(self, new: NewTurn, user: str, key: str | None) -> Order:
        if self._streams.are_stopping:
            raise Refused(503, "this gateway is stopping; send the same request again in a moment")
        drawn, images = str(uuid7()), images_of(new.input)
        if key is None:
            await self._admission.check(new, images, user, drawn)
            return Order(turn=_requested(new, images, user, drawn, new.session_id or str(uuid7())))
        written = await self._promises.find(user, key)
        if written is None:
            await self._admission.check(new, images, user, drawn)
            promise = Promise(
                turn_id=drawn, session_id=new.session_id or str(uuid7()), body_hash=hash_of_body(new)
            )
            written = await self._promises.make(user, key, promise)
        promise = written.promise
        check_same_body(promise, new)
        turn = _requested(new, images, user, promise.turn_id, promise.session_id)
        if promise.turn_id == drawn:
            return Order(turn=turn, key=key, written=written)
        order = Order(turn=turn, key=key, written=written, number=promise.turn_number, is_repeat=True)
        return order if promise.turn_number is not None else await self._found(order, images)

    async def _found(self, order: Order, images: Images) -> Order:
        """The promise has no number: the gateway of the first request may have died before it handed in."""
        turn = order.turn
        number = await self._lookup.number(turn.turn_id, turn.user)
        if number is None:
            await self._admission.bring_images(images, turn.user, turn.turn_id)
            return order
        await self._keep(order, number)
        return msgspec.structs.replace(order, number=number)


@asynccontextmanager
async def _kept(stack: AsyncExitStack, value: R) -> AsyncIterator[R]:
    async with stack:
        yield value


def _requested(new: NewTurn, images: Images, user: str, turn_id: str, session_id: str) -> TurnRequested:
    return derive(
        TurnRequested,
        new,
        turn_id=turn_id,
        session_id=session_id,
        user=user,
        input=text_of(new.input),
        images=[
            one if isinstance(one, str) else file_id_of(turn_id, number)
            for number, one in enumerate(images, 1)
        ],
    )
