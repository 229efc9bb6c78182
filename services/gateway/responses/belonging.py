"""Which conversation a response belongs to, by what its request names."""

import msgspec

from services.gateway.responses.ids import no_such_response, session_of, turn_of
from services.gateway.responses.kept_conversations import KeptConversations
from services.gateway.responses.request import Asked
from services.gateway.turns.lookup import Lookup
from shared.contract.errors import Refused

_PREVIOUS = "previous_response_id"


class Place(msgspec.Struct, kw_only=True, frozen=True):
    """Where a new turn goes."""

    session_id: str
    after: int | None = None
    """The number of the turn that it goes on from; None: the session's last."""


class Belonging:
    def __init__(self, lookup: Lookup, conversations: KeptConversations) -> None:
        self._lookup = lookup
        self._conversations = conversations

    async def place_of(self, asked: Asked, user: str) -> Place | None:
        """Returns None where the request names neither. Raises Refused (404) for what there is not."""
        if (named := asked.conversation_named) is not None:
            session_id = session_of(named, "conversation")
            await self._conversations.get(user, session_id, "conversation")
            return Place(session_id=session_id)
        if (previous := asked.previous_response_id) is None:
            return None
        try:
            turn = await self._lookup.turn(turn_of(previous, _PREVIOUS), user)
        except Refused as refused:
            raise no_such_response(previous, _PREVIOUS) if refused.status == 404 else refused from refused
        return Place(session_id=turn.session_id, after=turn.turn_number)
