"""Clears answers that were given with something that is forgotten. The user's own words there stay."""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

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


class Affected(msgspec.Struct, frozen=True):
    """A turn whose model was given something that is forgotten."""

    record: TurnRecord
    events: str

    @property
    def turn_id(self) -> str:
        return self.record.turn_id

    def was_given(self, forgotten: Forgotten) -> bool:
        return ended_turn_was_given(self.record, self.events, forgotten)


async def affected_answers(
    user: str, forgotten: Forgotten, documents: Documents, given: Collection[str] = ()
) -> list[Affected]:
    """The turns, themselves not forgotten, whose model was given something that is; by number.

    Turns in `given` count in any case, also where their documents do not say it.
    """
    if forgotten.is_nothing:
        return []
    turn_ids = {*await _may_be_affected(user, forgotten, documents), *given} - forgotten.turn_ids
    found = [await _affected(turn_id, forgotten, documents, given) for turn_id in turn_ids]
    own = [one for one in found if one is not None and one.record.user == user]
    return sorted(own, key=lambda one: one.record.turn_number)


async def _may_be_affected(user: str, forgotten: Forgotten, documents: Documents) -> Collection[str]:
    if (sources := forgotten.keys) is not None:
        return await documents.turns_given(user, sources)
    return [turn_id for _, turn_id in await documents.turns_of(user)]


async def clear_answers(
    affected: Sequence[Affected],
    forgotten: Forgotten,
    documents: Documents,
    indexer: Indexer,
    given: Collection[str] = (),
) -> None:
    """Has to be the last step for these turns, which are all of one user: afterwards their documents do not
    say that they were affected."""
    lost = [one.record for one in affected if cleared(one.record, forgotten).output == CLEARED]
    if lost:
        await indexer.ask(ClearAnswers(user=lost[0].user, turn_ids=[record.turn_id for record in lost]))
    for one in affected:
        # Another request may have cleared some of it since.
        if (now := await _affected(one.turn_id, forgotten, documents, given)) is not None:
            new = cleared(now.record, forgotten)
            # Context and events are dropped: they hold what the model was given.
            files = {RESPONSE: f"{new.output}\n", METADATA: f"{encode(new).decode()}\n"}
            await documents.rewrite(one.turn_id, files)


async def _affected(
    turn_id: str, forgotten: Forgotten, documents: Documents, given: Collection[str]
) -> Affected | None:
    record = await read_record(documents, turn_id)
    if record is None:
        return None
    found = Affected(record, await documents.read(turn_id, EVENTS) or "")
    # A turn without events was cleared before.
    is_affected = found.was_given(forgotten) or (turn_id in given and found.events != "")
    return found if is_affected else None
