"""Turns that wait or run while something is forgotten.

Turns that are forgotten themselves are cancelled. Other turns that run are waited for. Other turns that wait
for a person may wait for any time: they are cancelled where they were given some of it, and otherwise left
alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from typing import Protocol

from services.orchestrator.forgetting.affected_turns import Forgotten, waiting_turn_was_given
from services.orchestrator.queue.item import SessionKey
from services.orchestrator.running.claimed import QueuedTurn
from services.orchestrator.turn.approval import waiting
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Refused, Transient
from shared.contract.events import ForgetRequested
from shared.contract.requests import Control, Controlled, FindUnended, UnendedTurn

log = logging.getLogger(__name__)
_ENDS_WITHIN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_LOOKS_AT_THE_QUEUE = 100


class Turns(Protocol):
    """Turns that wait or run."""

    async def is_behind(self) -> bool:
        """Whether a turn that was accepted before this moment is not known yet. Raises Transient."""
        ...

    def of_user(self, user: str) -> list[QueuedTurn]: ...

    def running_of_user(self, user: str) -> set[str]: ...

    async def find_unended(self, request: FindUnended) -> UnendedTurn:
        """Raises Refused where the turn has ended, and Transient."""
        ...

    async def turn_of(self, session: SessionKey) -> Turn | None:
        """The turn as it was last saved; None where it never was. Raises Transient."""
        ...


class Controls(Protocol):
    async def control(self, request: Control) -> Controlled: ...


class UnendedTurns:
    def __init__(self, turns: Turns, controls: Controls) -> None:
        self._turns = turns
        self._controls = controls

    def running_of(self, user: str) -> set[str]:
        """Includes turns that wait for a person."""
        return self._turns.running_of_user(user)

    async def stop(self, order: ForgetRequested) -> None:
        """Cancels the turns that the order is about, and waits until they have ended.

        This comes first, since the end of a turn writes documents and events.
        """
        await self._queue_is_known()
        stopped = {turn.request.turn_id for turn in self._turns.of_user(order.user) if _covers(order, turn)}
        for turn_id in sorted(stopped):
            await self.cancel(order.user, turn_id)
        async for _ in self._looks(order.user, stopped):
            pass

    async def cancel(self, user: str, turn_id: str) -> None:
        try:
            await self._controls.control(Control(user=user, turn_id=turn_id, action="cancel"))
        except Refused as refusal:
            log.info("%s has ended by itself: %s", turn_id, refusal)

    async def waiting_and_given(
        self, user: str, turn_ids: Collection[str], forgotten: Forgotten
    ) -> AsyncIterator[str]:
        """Yields each of these turns that waits for a person and was given some of it. The caller cancels it.

        Returns when all others have ended, or wait and were given nothing of it. A turn may begin to wait at
        any time. Raises Transient where a turn runs for too long.
        """
        left, named = set(turn_ids), set[str]()
        async for unended in self._looks(user, left):
            for turn in unended:
                turn_id = turn.request.turn_id
                if turn_id in named or (checkpoint := await self._waiting_checkpoint(turn)) is None:
                    continue
                if waiting_turn_was_given(checkpoint, forgotten):
                    named.add(turn_id)
                    yield turn_id
                else:
                    left.discard(turn_id)

    async def _waiting_checkpoint(self, turn: QueuedTurn) -> Turn | None:
        """The turn as it was saved when it began to wait; None where it does not wait for a person."""
        try:
            asked = FindUnended(user=turn.request.user, turn_id=turn.request.turn_id)
            if (await self._turns.find_unended(asked)).status != "waiting":
                return None
        except Refused:
            return None
        saved = await self._turns.turn_of(turn.session)
        if saved is None or saved.turn_id != turn.request.turn_id or saved.stopped is not None:
            return None
        return saved if waiting(saved.approval) else None

    async def _queue_is_known(self) -> None:
        for _ in range(_LOOKS_AT_THE_QUEUE):
            if not await self._turns.is_behind():
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise Transient("the queue is still being read")

    async def _looks(self, user: str, turn_ids: Collection[str]) -> AsyncIterator[list[QueuedTurn]]:
        """Yields those that have not ended, until all have. The caller may change `turn_ids` in between."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _ENDS_WITHIN_SECONDS
        while unended := self._unended(user, turn_ids):
            if clock() > deadline:
                raise Transient("a turn still runs with what has to be forgotten", retry_in=2.0)
            yield unended
            if self._unended(user, turn_ids):
                await asyncio.sleep(_LOOK_SECONDS)

    def _unended(self, user: str, turn_ids: Collection[str]) -> list[QueuedTurn]:
        return [turn for turn in self._turns.of_user(user) if turn.request.turn_id in turn_ids]


def _covers(order: ForgetRequested, turn: QueuedTurn) -> bool:
    match order.scope:
        case "turn":
            return turn.request.turn_id == order.target
        case "session":
            return turn.request.session_id == order.target and turn.requested_at <= order.requested_at
        case "user":
            return turn.requested_at <= order.requested_at
        case "memory":
            return False
