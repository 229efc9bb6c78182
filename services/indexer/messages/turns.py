"""Stores turns that have ended, and imported messages."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.indexer.generations.writing import Generation
from services.indexer.messages.tables import MessageTable, TurnTable
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.message import message_of_import, messages_of, point_id_of
from shared.bus.endpoints import endpoint
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import Event, TurnCancelled, TurnIndexed, TurnSaved
from shared.contract.requests import MOST_MESSAGES, ImportMessages, ImportReply
from shared.process import metrics


class EndedTurns:
    """Rows and points of what was said; of a cancelled turn only its row."""

    def __init__(
        self, turns: TurnTable, messages: MessageTable, writer: MessageWriter, generation: Generation
    ) -> None:
        self._turns = turns
        self._messages = messages
        self._writer = writer
        self._generation = generation

    async def on_turns_saved(self, events: Sequence[TurnSaved]) -> Sequence[Event]:
        """One embedding call, one write to each store. To write a turn again changes nothing."""
        await self._writer.add([message for event in events for message in messages_of(event)])
        # Rows of turns last: a turn that is listed is found.
        await self._turns.upsert(events)
        now = datetime.now(UTC)
        metrics.index_batch_turns.observe(len(events))
        for event in events:
            metrics.index_lag_seconds.observe(max(0.0, (now - event.saved_at).total_seconds()))
        return [derive(TurnIndexed, event, indexed_at=now) for event in events]

    async def on_turn_cancelled(self, event: TurnCancelled) -> Sequence[Event]:
        """Kept for its session's history alone: search never finds it, so there is no `turn.indexed`."""
        if is_history(event):
            await self._turns.upsert([event])
        return []

    @endpoint
    async def import_messages(self, request: ImportMessages) -> ImportReply:
        if len(request.messages) > MOST_MESSAGES:
            raise Refused(422, f"more than {MOST_MESSAGES} messages; send them in parts", "messages")
        added = await self._writer.add([message_of_import(request.user, m) for m in request.messages])
        return ImportReply(new=added.new, changed=len(added.changed), known=added.known)

    async def count_uses(self, events: Sequence[TurnSaved]) -> None:
        """Messages that answers stood on are a little likelier to be asked for again."""
        times: dict[str, Counter[UUID]] = {}
        for event in events:
            if event.sources:
                times.setdefault(event.user, Counter()).update(_points_used(event))
        for user, own in times.items():
            if uses := await self._messages.used(user, dict(sorted(own.items()))):
                await self._generation.indexes["turn"].set_uses(uses)


def _points_used(event: TurnSaved) -> set[UUID]:
    """The messages that its answer stood on, each once."""
    return {
        point_id_of(event.user, source.session_id, message_id)
        for source in event.sources
        for message_id in source.message_ids
    }


def is_history(event: TurnCancelled) -> bool:
    """Whether a turn without an answer stays in its session's history.

    Not where another turn stands in its place. Version 0.1 left out what was asked.
    """
    return event.why != "replaced" and bool(event.input)
