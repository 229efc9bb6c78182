"""What becomes of turns that wait or run while something is forgotten.

Those that are forgotten themselves are cancelled. Of the others, those that run are waited for; those that
wait for a person, nobody knows how long, are cancelled where they were given some of it, else left alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from typing import Protocol

from services.orchestrator.domain.approval import waiting
from services.orchestrator.domain.forgetting import Gone, was_given
from services.orchestrator.domain.queue import SessionKey, Waiting
from services.orchestrator.domain.turn import Turn
from shared.errors import Refused, Transient
from shared.events import ForgetRequested
from shared.replies import Control, Controlled, FindUnended, UnendedTurn

log = logging.getLogger(__name__)
_ENDS_WITHIN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_LOOKS_AT_THE_QUEUE = 100


class Turns(Protocol):
    """Turns that wait or run, and how they are stopped."""

    async def is_behind(self) -> bool:
        """Some turn that was accepted before this moment is not known yet. Raises Transient."""
        ...

    def of_user(self, user: str) -> list[Waiting]: ...

    def running_of_user(self, user: str) -> set[str]: ...

    async def find_unended(self, request: FindUnended) -> UnendedTurn:
        """Raises Refused where it has ended, and Transient."""
        ...

    async def control(self, request: Control) -> Controlled: ...


class Checkpoints(Protocol):
    async def turn_of(self, session: SessionKey) -> Turn | None:
        """The turn as it was saved last; None where it never was. Raises Transient."""
        ...


class Halting:
    def __init__(self, turns: Turns, checkpoints: Checkpoints) -> None:
        self._turns = turns
        self._checkpoints = checkpoints

    def running_of(self, user: str) -> set[str]:
        """Those that wait for a person among them."""
        return self._turns.running_of_user(user)

    async def stop(self, order: ForgetRequested) -> None:
        """Whatever of it waits or runs is cancelled first: its end writes documents and events."""
        await self._until_all_are_known()
        stopped = {turn.request.turn_id for turn in self._turns.of_user(order.user) if _covers(order, turn)}
        for turn_id in sorted(stopped):
            await self.cancel(order.user, turn_id)
        async for _ in self._looks(order.user, stopped):
            pass

    async def cancel(self, user: str, turn_id: str) -> None:
        try:
            await self._turns.control(Control(user=user, turn_id=turn_id, action="cancel"))
        except Refused as refusal:
            log.info("%s has ended by itself: %s", turn_id, refusal)

    async def that_know(self, user: str, turn_ids: Collection[str], gone: Gone) -> AsyncIterator[str]:
        """Those that wait for a person with some of what is gone, each once, for the caller to cancel.

        Ends when all others have ended, or wait and know nothing of it: nobody will tell them any more.
        Any of them may begin to wait meanwhile. Raises Transient where one runs for too long.
        """
        left, named = set(turn_ids), set[str]()
        async for unended in self._looks(user, left):
            for turn in unended:
                turn_id = turn.request.turn_id
                if turn_id in named or (checkpoint := await self._that_waits(turn)) is None:
                    continue
                if was_given(checkpoint, gone):
                    named.add(turn_id)
                    yield turn_id
                else:
                    left.discard(turn_id)

    async def _that_waits(self, turn: Waiting) -> Turn | None:
        """As it was saved when it began to wait; None where it does not wait."""
        try:
            asked = FindUnended(user=turn.request.user, turn_id=turn.request.turn_id)
            if (await self._turns.find_unended(asked)).status != "waiting":
                return None
        except Refused:
            return None
        saved = await self._checkpoints.turn_of(turn.session)
        if saved is None or saved.turn_id != turn.request.turn_id or saved.stopped is not None:
            return None
        return saved if waiting(saved.approval) else None

    async def _until_all_are_known(self) -> None:
        for _ in range(_LOOKS_AT_THE_QUEUE):
            if not await self._turns.is_behind():
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise Transient("the queue is still being read")

    async def _looks(self, user: str, turn_ids: Collection[str]) -> AsyncIterator[list[Waiting]]:
        """Those that have not ended, again and again until there are none; `turn_ids` may change."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _ENDS_WITHIN_SECONDS
        while unended := self._unended(user, turn_ids):
            if clock() > deadline:
                raise Transient("a turn still runs with what has to be forgotten", retry_in=2.0)
            yield unended
            if self._unended(user, turn_ids):
                await asyncio.sleep(_LOOK_SECONDS)

    def _unended(self, user: str, turn_ids: Collection[str]) -> list[Waiting]:
        return [turn for turn in self._turns.of_user(user) if turn.request.turn_id in turn_ids]


def _covers(order: ForgetRequested, turn: Waiting) -> bool:
    match order.scope:
        case "turn":
            return turn.request.turn_id == order.target
        case "session":
            return turn.request.session_id == order.target and turn.requested_at <= order.requested_at
        case "user":
            return turn.requested_at <= order.requested_at
        case "memory":
            return False
