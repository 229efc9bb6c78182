"""Fills in what a hit shows, from the rows of what was found."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from services.indexer.domain.messages import StoredMessage
from services.indexer.ports import MessageTable, TurnTable
from shared.replies import Hit, TurnRow


class Hits(Protocol):
    """What one collection's points stand for."""

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        """Those that the user has, by the id of their point; without score and highlights."""
        ...


class MessageHits:
    """A message of a turn is shown as its turn, an imported one as itself."""

    def __init__(self, messages: MessageTable, turns: TurnTable) -> None:
        self._messages = messages
        self._turns = turns

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        # The row has the last word on whose message it is: a point without the user's row is no hit.
        messages = await self._messages.get(user, ids)
        turn_ids = {message.turn_id for message in messages.values() if message.turn_id is not None}
        turns = await self._turns.get(user, sorted(turn_ids)) if turn_ids else {}
        return {
            key: _of_turn(message, turns[message.turn_id]) if message.turn_id else _imported(message)
            for key, message in messages.items()
            if message.turn_id is None or message.turn_id in turns
        }


def _of_turn(message: StoredMessage, turn: TurnRow) -> Hit:
    return Hit(
        kind="turn",
        id=turn.turn_id,
        score=0.0,
        text=turn.said if turn.quoted else f"{turn.said}\n{turn.output}",
        session_id=turn.session_id,
        at=turn.at,
        message_ids=[message.message_id],
        speaker=message.speaker,
        turn_id=turn.turn_id,
        turn_number=turn.turn_number,
        input=turn.said,
        output=turn.output,
        quoted=turn.quoted,
    )


def _imported(message: StoredMessage) -> Hit:
    return Hit(
        kind="turn",
        id=message.message_id,
        score=0.0,
        text=message.text,
        session_id=message.session_id,
        at=message.at,
        message_ids=[message.message_id],
        speaker=message.speaker,
        input=message.text,
    )
