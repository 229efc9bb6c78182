"""Which conversation a response belongs to, by what its request names."""

import msgspec

from services.gateway.asking.ports import Ask
from services.gateway.responses.ids import no_such_response, response_id, session_of, turn_of
from services.gateway.responses.kept_conversations import KeptConversations
from services.gateway.responses.request import Asked
from services.gateway.turns.lookup import Lookup
from shared.contract.errors import Refused
from shared.contract.requests import FindRunning, ListTurns

_PREVIOUS = "previous_response_id"
_LOOKED_AT = 10
"""Of the session's last turns: some of them may have been stopped."""


class Place(msgspec.Struct, kw_only=True, frozen=True):
    """Where a new turn goes."""

    session_id: str
    after: int | None = None
    """The number of the turn that it shall follow; None: whichever is the last."""


class Belonging:
    def __init__(self, ask: Ask, lookup: Lookup, conversations: KeptConversations) -> None:
        self._ask = ask
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

    async def check_is_last(self, place: Place, user: str) -> None:
        """Raises Refused where another turn follows that one: a turn goes on from all of its session."""
        if place.after is None:
            return
        listed = await self._ask(ListTurns(user=user, session_id=place.session_id, limit=_LOOKED_AT))
        running = (await self._ask(FindRunning(user=user, session_id=place.session_id))).turn
        later = {turn.turn_number: turn.turn_id for turn in listed.turns if turn.status == "saved"}
        if running is not None:
            later[running.turn_number] = running.turn_id
        for number, turn_id in later.items():
            if number > place.after:
                raise Refused(
                    422,
                    f"{response_id(turn_id)} came after it in the same conversation, and a turn goes on "
                    "from the last one; name that, or begin another conversation",
                    _PREVIOUS,
                )
