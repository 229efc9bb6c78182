"""Chooses the passages of memory that are put before the model, within a budget of tokens."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from shared.contract.derivation import derive
from shared.contract.events import Source
from shared.contract.requests import Passage, TurnRow
from shared.language.shortening import shortened

_CHARACTERS_A_TOKEN = 4
"""Of English prose with common tokenizers. The model's own tokenizer has the exact count."""
_QUOTE_CHARACTERS = 200


def estimated_tokens(passage: Passage) -> float:
    return (len(passage.input) + len(passage.output)) / _CHARACTERS_A_TOKEN


def choose_passages(
    found: Sequence[Passage],
    neighbours: Sequence[TurnRow],
    *,
    most: int,
    budget_tokens: int,
    tokens_of: Callable[[Passage], float] = estimated_tokens,
) -> list[Passage]:
    """What was found, then the neighbours of it, until the budget is spent."""
    chosen: list[Passage] = []
    left: float = budget_tokens
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


def left_out(found: Sequence[Passage], chosen: Iterable[Passage]) -> list[Passage]:
    """What was found and not chosen, best first."""
    taken = {passage.key for passage in chosen}
    return [passage for passage in found if passage.key not in taken]


def joined(searches: Iterable[Sequence[Passage]]) -> list[Passage]:
    """Joins several searches. Each thing appears once, with its best score; best first."""
    best: dict[tuple[str, str, str], Passage] = {}
    for passage in chain.from_iterable(searches):
        if passage.key not in best or passage.score > best[passage.key].score:
            best[passage.key] = passage
    return sorted(best.values(), key=lambda passage: -passage.score)


def is_echo(row: TurnRow) -> bool:
    """Whether the turn is a question whose answer only quoted other turns: it adds no knowledge."""
    return row.quoted and row.intent == "question"


def sources_of(passages: Sequence[Passage]) -> list[Source]:
    return [
        derive(Source, passage, quote=shortened(passage.input, _QUOTE_CHARACTERS)) for passage in passages
    ]


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
