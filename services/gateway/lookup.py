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
    """The number of a user's turn; None where there is none."""
    find_record = partial(turns.ask, GetTurn(user=user, turn_id=turn_id))
    if (record := await unless_unknown(find_record)) is not None:
        return record.turn_number
    unended = await unless_unknown(partial(turns.ask, FindUnended(user=user, turn_id=turn_id)))
    if unended is not None:
        return unended.turn_number
    record = await unless_unknown(find_record)  # It may have ended between the two looks.
    return None if record is None else record.turn_number
