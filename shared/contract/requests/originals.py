"""Turns that wait or run, as they were handed in. The orchestrator answers."""

from typing import ClassVar

from shared.contract.events import TurnId, TurnRequested, User
from shared.contract.requests.request import Request


class GetOriginal(Request[TurnRequested], frozen=True, kw_only=True):
    """anyone -> orchestrator: a turn that waits or runs, word for word as it was handed in.

    Refused with 404 where the user has no such turn, or it has ended: its record has the rest then.
    """

    subject: ClassVar[str] = "turns.original"

    user: User
    turn_id: TurnId
