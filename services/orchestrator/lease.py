"""The lease of one turn that runs: with it, whoever runs the turn writes down how far it is."""

import asyncio
from typing import Literal

from services.orchestrator.domain.approval import waiting
from services.orchestrator.domain.queue import Lease
from services.orchestrator.domain.turn import Turn
from services.orchestrator.ports import Held, Leases
from shared.replies import TurnRecord

_SESSION_TURNS = 10
"""Ids of the session's last turns that travel with its lease."""


class TurnLease:
    """Written at each step. Every write raises LeaseLost where somebody took the turn over."""

    def __init__(self, held: Held, leases: Leases) -> None:
        self.held = held
        self._leases = leases
        self._writing = asyncio.Lock()

    async def save(self, turn: Turn) -> None:
        """A checkpoint: whoever takes the turn over goes on from here."""
        await self._write("held", turn, turn, turn.earlier)

    async def hand_back(self, turn: Turn) -> None:
        """For anybody to go on with, at once."""
        await self._write("handed_back", turn, turn, turn.earlier)

    async def free(self, turn: Turn, record: TurnRecord) -> None:
        """The turn has ended: its session may go on."""
        earlier = turn.earlier
        if _stays_in_session(record):
            earlier = [*(turn_id for turn_id in earlier if turn_id != record.turn_id), record.turn_id]
        await self._write("free", turn, None, earlier)

    async def _write(
        self,
        state: Literal["held", "handed_back", "free"],
        turn: Turn,
        kept: Turn | None,
        recent: list[str],
    ) -> None:
        async with self._writing:
            lease = Lease(
                state=state,
                holder=self.held.lease.holder,
                turn_id=turn.turn_id,
                turn_number=turn.turn_number,
                attempt=turn.attempt,
                is_waiting=bool(waiting(turn.approval)),
                recent=recent[-_SESSION_TURNS:],
            )
            self.held = await self._leases.save(self.held, lease, kept)


def _stays_in_session(record: TurnRecord) -> bool:
    return record.status == "saved" or (record.status == "cancelled" and record.why_cancelled != "replaced")
