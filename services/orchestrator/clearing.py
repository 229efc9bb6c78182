"""Clears the answers that stood on what is forgotten; what the user said there stays."""

from collections.abc import Collection, Sequence
from typing import Protocol

from services.orchestrator.archive import read_record
from services.orchestrator.domain.documents import EVENTS, METADATA, RESPONSE
from services.orchestrator.domain.forgetting import CLEARED, Gone, cleared, stands_on
from services.orchestrator.ports import Documents
from shared.events import encode
from shared.replies import ClearAnswers, Reply, Request, TurnRecord


class Indexer(Protocol):
    async def ask(self, request: Request[Reply]) -> Reply:
        """Raises Transient and Refused."""
        ...


async def answers_on(user: str, gone: Gone, documents: Documents, given: Collection[str] = ()) -> list[str]:
    """The turns whose model was given something that is gone, but for those that are gone themselves.

    Of those in `given` it is known, whatever their documents say.
    """
    if gone.is_nothing:
        return []
    turn_ids = [turn_id for _, turn_id in await documents.turns_of(user) if turn_id not in gone.turn_ids]
    return [turn_id for turn_id in turn_ids if await _standing(turn_id, gone, documents, given) is not None]


async def clear_answer(
    user: str,
    turn_id: str,
    gone: Gone,
    documents: Documents,
    indexer: Indexer,
    given: Collection[str] = (),
) -> None:
    """The question stays. From here on nothing tells any more that the answer stood on it: this goes last."""
    record = await _standing(turn_id, gone, documents, given)
    if record is None:
        return
    new = cleared(record, gone)
    if new.output == CLEARED:
        await indexer.ask(ClearAnswers(user=user, turn_ids=[turn_id]))
    # The context that its model was given, and its events, hold what is forgotten.
    await documents.rewrite(turn_id, {RESPONSE: f"{new.output}\n", METADATA: f"{encode(new).decode()}\n"})


async def _standing(
    turn_id: str, gone: Gone, documents: Documents, given: Collection[str]
) -> TurnRecord | None:
    record = await read_record(documents, turn_id)
    events = await documents.read(turn_id, EVENTS) or ""
    # Without events it was cleared before.
    stands = record is not None and (stands_on(record, events, gone) or (turn_id in given and events != ""))
    return record if stands else None


def names(*lists: Sequence[str]) -> list[str]:
    """All of them, each once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))
