"""Whether a turn is known, and where it is by now."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from services.gateway.ports import Turns
from shared.errors import Refused
from shared.replies import FindUnended, GetTurn

R = TypeVar("R")


async def unless_unknown(ask: Callable[[], Awaitable[R]]) -> R | None:
    """None for a refusal with 404; any other goes on."""
    try:
        return await ask()
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise


async def number_of(turns: Turns, turn_id: str, user: str) -> int | None:
    """The number of a user's turn; None where there is none.

    Asks for what has not ended first, so that a turn that ends in between is found as ended.
    """
    unended = await unless_unknown(partial(turns.ask, FindUnended(user=user, turn_id=turn_id)))
    if unended is not None:
        return unended.turn_number
    record = await unless_unknown(partial(turns.ask, GetTurn(user=user, turn_id=turn_id)))
    return None if record is None else record.turn_number
