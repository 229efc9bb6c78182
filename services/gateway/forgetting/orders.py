"""Orders to forget: each is stored on the bus, and its receipt is waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from uuid_utils import uuid7

from services.gateway.asking.ports import Ask
from services.gateway.turns.refusals import checked_id
from shared.contract.derivation import derive
from shared.contract.errors import Refused, Transient
from shared.contract.events import ForgetRequested, ForgetScope
from shared.contract.requests import FindUnended, GetMemory, GetReceipt, GetTurn, Receipt

Publish = Callable[[ForgetRequested], Awaitable[object]]
"""Returns when the event is stored. Raises Transient."""
_WAIT_SECONDS = 20.0
"""How long a client waits. After that it gets the pending receipt, and the work goes on."""
_LOOK_SECONDS = 0.1


class Forgetting:
    """Each method returns the receipt: forgotten, or pending where that takes long.

    `now`: the bytes are erased at once.
    """

    def __init__(self, ask: Ask, publish: Publish) -> None:
        self._ask = ask
        self._publish = publish

    async def turn(self, user: str, turn_id: str, *, now: bool) -> Receipt:
        """Raises Refused (404)."""
        known = checked_id(turn_id)
        try:
            await self._ask(GetTurn(user=user, turn_id=known))
        except Refused:
            await self._ask(FindUnended(user=user, turn_id=known))  # Refuses where there is no such turn.
        return await self._forget(user, "turn", known, now)

    async def session(self, user: str, session_id: str, *, now: bool) -> Receipt:
        return await self._forget(user, "session", session_id, now)

    async def memory(self, user: str, memory_id: str, *, now: bool) -> Receipt:
        """Raises Refused (404)."""
        memory = await self._ask(GetMemory(user=user, memory_id=memory_id))
        return await self._forget(user, "memory", memory.memory_id, now)

    async def user(self, user: str, *, now: bool) -> Receipt:
        return await self._forget(user, "user", "", now)

    async def _forget(self, user: str, scope: ForgetScope, target: str, now: bool) -> Receipt:
        order = ForgetRequested(
            forget_id=str(uuid7()),
            user=user,
            scope=scope,
            target=target,
            requested_at=datetime.now(UTC),
            now=now,
        )
        await self._publish(order)
        receipt = derive(Receipt, order, state="pending", erased_by=order.requested_at)
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_SECONDS):
                while receipt.state == "pending":
                    await asyncio.sleep(_LOOK_SECONDS)
                    with suppress(Refused, Transient):  # The indexer has not begun with it yet.
                        receipt = await self._ask(GetReceipt(user=user, forget_id=order.forget_id))
        return receipt
