"""Chooses the passages of memory that are put before the model, within a budget of tokens."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from shared.contract.derivation import derive
from shared.contract.events import Source
from shared.contract.requests import Hit, Passage, TurnRow
from shared.language.shortening import shortened

_CHARACTERS_A_TOKEN = 4
"""Of English prose with common tokenizers. The model's own tokenizer has the exact count."""
_LEAST_SIMILARITY = 0.3
"""MiniLM's neighbours below this cosine, without a shared word, were unrelated."""
_QUOTE_CHARACTERS = 200


def estimated_tokens(passage: Passage) -> float:
    return (len(passage.input) + len(passage.output)) / _CHARACTERS_A_TOKEN


def choose_passages(
    hits: Sequence[Hit],
    neighbours: Sequence[TurnRow],
    *,
    most: int,
    budget_tokens: int,
    tokens_of: Callable[[Passage], float] = estimated_tokens,
) -> list[Passage]:
    """The relevant hits, then their neighbours, until the budget is spent."""
    chosen: list[Passage] = []
    left: float = budget_tokens
    found = map(_passage, relevant_hits(hits))
    beside = (passage_of_row(row) for row in neighbours if not is_echo(row))
    taken: set[tuple[str, str, str]] = set()
    for passage in chain(found, beside):
        if len(chosen) >= most:
            break
        if passage.key in taken or (size := tokens_of(passage)) > left:
            continue
        taken.add(passage.key)
        chosen.append(passage)
        left -= size
    return chosen


def left_out(hits: Sequence[Hit], chosen: Iterable[Passage]) -> list[Passage]:
    """Relevant hits that were not chosen, best first."""
    taken = {passage.key for passage in chosen}
    return [passage for passage in map(_passage, relevant_hits(hits)) if passage.key not in taken]


def joined_hits(searches: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Joins several searches. Each thing appears once, with its best score; best first."""
    best: dict[tuple[str, str, str], Hit] = {}
    for hit in (hit for hits in searches for hit in hits):
        key = (hit.kind, hit.session_id, hit.id)
        if key not in best or hit.score > best[key].score:
            best[key] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)


def relevant_hits(hits: Sequence[Hit]) -> list[Hit]:
    """The hits that have to do with the query, best first. A search always finds something nearest."""
    return [hit for hit in hits if hit.words > 0 or hit.similarity >= _LEAST_SIMILARITY]


def is_echo(row: TurnRow) -> bool:
    """Whether the turn is a question whose answer only quoted other turns: it adds no knowledge."""
    return row.quoted and row.intent == "question"


def sources_of(passages: Sequence[Passage]) -> list[Source]:
    return [
        derive(Source, passage, quote=shortened(passage.input, _QUOTE_CHARACTERS)) for passage in passages
    ]


def _passage(hit: Hit) -> Passage:
    return derive(Passage, hit, input=hit.input or hit.text)


def passage_of_row(row: TurnRow) -> Passage:
    """The passage of a turn that no search found: a neighbour of one, or a turn of the session."""
    return Passage(
        id=row.turn_id,
        turn_id=row.turn_id,
        turn_number=row.turn_number,
        message_ids=[f"{row.turn_id}:user", *([] if row.quoted else [f"{row.turn_id}:assistant"])],
        session_id=row.session_id,
        at=row.at,
        score=0.0,
        similarity=0.0,
        input=row.said,
        output=row.output,
        quoted=row.quoted,
    )
