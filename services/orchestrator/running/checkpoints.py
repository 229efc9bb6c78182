"""Checkpoints: a turn as it is so far, written into its lease for the process that goes on with it."""

import msgspec

from services.orchestrator.queue.turn_lease import TurnLease
from services.orchestrator.turn.approval import waiting
from services.orchestrator.turn.state import Turn
from shared.contract.events import TurnRequested
from shared.contract.requests import TurnRecord

_turn = msgspec.json.Decoder(Turn)


class Checkpoints:
    """Every write raises LeaseLost where another process has taken the turn over."""

    def __init__(self, lease: TurnLease[TurnRequested]) -> None:
        self._lease = lease

    async def save(self, turn: Turn) -> None:
        is_waiting = bool(waiting(turn.approval))
        await self._lease.save(msgspec.json.encode(turn), attempt=turn.attempt, is_waiting=is_waiting)

    async def fence(self, turn: Turn) -> None:
        await self._lease.fence(lambda: msgspec.json.encode(turn), attempt=turn.attempt)

    async def hand_back(self, turn: Turn) -> None:
        await self._lease.hand_back(msgspec.json.encode(turn))

    async def free(self, record: TurnRecord, history_from: str) -> None:
        await self._lease.free(is_remembered=_stays_in_session(record), history_from=history_from)


def saved_turn(checkpoint: bytes) -> Turn | None:
    """None where nothing was saved yet."""
    return _turn.decode(checkpoint) if checkpoint else None


def _stays_in_session(record: TurnRecord) -> bool:
    return record.status == "saved" or (record.status == "cancelled" and record.why_cancelled != "replaced")
