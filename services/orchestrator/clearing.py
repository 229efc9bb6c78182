"""Clears the answers that stood on what is forgotten; what the user said there stays."""

from collections.abc import Sequence
from typing import Protocol

from services.orchestrator.archive import read_record
from services.orchestrator.domain.documents import EVENTS, METADATA, RESPONSE
from services.orchestrator.domain.forgetting import CLEARED, Gone, cleared, stands_on
from services.orchestrator.ports import Documents
from shared.events import encode
from shared.replies import ClearAnswers, Reply, Request


class Indexer(Protocol):
    async def ask(self, request: Request[Reply]) -> Reply:
        """Raises Transient and Refused."""
        ...


async def clear_answers(user: str, gone: Gone, documents: Documents, indexer: Indexer) -> list[str]:
    """The turns of which no more is left than their question. Raises Transient; again it does no harm."""
    if gone.is_nothing:
        return []
    found: list[str] = []
    for _, turn_id in await documents.turns_of(user):
        if turn_id not in gone.turn_ids and await _clear(user, turn_id, gone, documents, indexer):
            found.append(turn_id)
    return found


async def _clear(user: str, turn_id: str, gone: Gone, documents: Documents, indexer: Indexer) -> bool:
    record = await read_record(documents, turn_id)
    events = await documents.read(turn_id, EVENTS) or ""
    if record is None or not stands_on(record, events, gone):
        return False
    new = cleared(record, gone)
    # The index first: a turn whose documents are as they shall be is not looked at again.
    if new.output == CLEARED:
        await indexer.ask(ClearAnswers(user=user, turn_ids=[turn_id]))
    # The context that its model was given, and its events, hold what is forgotten.
    await documents.rewrite(turn_id, {RESPONSE: f"{new.output}\n", METADATA: f"{encode(new).decode()}\n"})
    return True


def names(*lists: Sequence[str]) -> list[str]:
    """All of them, each once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))
