"""The tokens of turns, which end after their request is answered, are counted when they end."""

import logging
from typing import Final

import msgspec
from nats.aio.msg import Msg

from services.gateway.limits.limiting import Limits
from shared.bus.connection import Bus
from shared.contract.errors import Poison
from shared.contract.events import TurnCancelled, TurnFailed, TurnSaved, Usage, decode

log = logging.getLogger(__name__)
_GROUP: Final = "gateway-limits"
"""Of all gateways one counts a turn."""


class _Ended(msgspec.Struct):
    user: str
    usage: Usage = Usage()


async def count_tokens(bus: Bus, limits: Limits) -> None:
    """From now on. What ends while no gateway runs is not counted."""

    async def take(message: Msg) -> None:
        try:
            turn = decode(_Ended, message.data)
        except Poison as error:
            log.warning("a turn's tokens are not counted: %s", error)
            return
        await limits.note_tokens(turn.user, turn.usage.input_tokens + turn.usage.output_tokens)

    for ended in (TurnSaved, TurnFailed, TurnCancelled):
        await bus.connection.subscribe(ended.subject, queue=_GROUP, cb=take)
