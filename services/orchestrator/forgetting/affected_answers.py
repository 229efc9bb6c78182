"""Clears answers that were given with something that is forgotten. The user's own words there stay."""

from collections.abc import Collection, Sequence
from typing import Protocol

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.documents.rendering import EVENTS, METADATA, RESPONSE
from services.orchestrator.forgetting.affected_turns import CLEARED, Forgotten, cleared, ended_turn_was_given
from shared.contract.events import encode
from shared.contract.requests import ClearAnswers, Reply, Request, TurnRecord


class Indexer(Protocol):
    async def ask(self, request: Request[Reply]) -> Reply:
        """Raises Transient and Refused."""
        ...


async def affected_answers(
    user: str, forgotten: Forgotten, documents: Documents, given: Collection[str] = ()
) -> list[str]:
    """The turns, themselves not forgotten, whose model was given something that is; by number.

    Turns in `given` count in any case, also where their documents do not say it.
    """
    if forgotten.is_nothing:
        return []
    turn_ids = {*await _may_be_affected(user, forgotten, documents), *given} - forgotten.turn_ids
    records = [await _affected_record(turn_id, forgotten, documents, given) for turn_id in turn_ids]
    affected = {one.turn_number: one.turn_id for one in records if one is not None and one.user == user}
    return [turn_id for _, turn_id in sorted(affected.items())]


async def _may_be_affected(user: str, forgotten: Forgotten, documents: Documents) -> Collection[str]:
    if (sources := forgotten.keys) is not None:
        return await documents.turns_given(user, sources)
    return [turn_id for _, turn_id in await documents.turns_of(user)]


async def clear_answer(
    user: str,
    turn_id: str,
    forgotten: Forgotten,
    documents: Documents,
    indexer: Indexer,
    given: Collection[str] = (),
) -> None:
    """Has to be the last step for this turn: afterwards its documents do not say that it was affected."""
    record = await _affected_record(turn_id, forgotten, documents, given)
    if record is None:
        return
    new = cleared(record, forgotten)
    if new.output == CLEARED:
        await indexer.ask(ClearAnswers(user=user, turn_ids=[turn_id]))
    # Context and events are dropped: they hold what the model was given.
    await documents.rewrite(turn_id, {RESPONSE: f"{new.output}\n", METADATA: f"{encode(new).decode()}\n"})


async def _affected_record(
    turn_id: str, forgotten: Forgotten, documents: Documents, given: Collection[str]
) -> TurnRecord | None:
    record = await read_record(documents, turn_id)
    events = await documents.read(turn_id, EVENTS) or ""
    # A turn without events was cleared before.
    is_affected = record is not None and (
        ended_turn_was_given(record, events, forgotten) or (turn_id in given and events != "")
    )
    return record if is_affected else None


def each_once(*lists: Sequence[str]) -> list[str]:
    """All entries in their order, without repetitions."""
    return list(dict.fromkeys(entry for entries in lists for entry in entries))
