"""Which earlier turns are put before the model, and how much of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shared.events import Origin, Source
from shared.replies import Hit, Passage, TurnRow

_CHARACTERS_A_TOKEN = 4
"""English prose under common tokenizers; the exact count comes with the model's own tokenizer."""
_LEAST_SIMILARITY = 0.3
"""Below this cosine, and without a shared word, MiniLM's neighbours were unrelated."""
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
    """The relevant hits, then turns beside them, until the budget is spent."""
    chosen: list[Passage] = []
    left: float = budget_tokens
    found = [_passage(hit) for hit in relevant_hits(hits)]
    beside = [passage_of_row(row) for row in neighbours if not is_echo(row)]
    taken: set[tuple[str, str, str]] = set()
    for passage in found + beside:
        if passage.key in taken or len(chosen) >= most or (size := tokens_of(passage)) > left:
            continue
        taken.add(passage.key)
        chosen.append(passage)
        left -= size
    return chosen


def left_out(hits: Sequence[Hit], chosen: Iterable[Passage]) -> list[Passage]:
    """What bears on the query and was not chosen, best first."""
    taken = {passage.key for passage in chosen}
    return [passage for passage in map(_passage, relevant_hits(hits)) if passage.key not in taken]


def joined_hits(searches: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Of several searches each thing once, with the best that any of them said of it; best first."""
    best: dict[tuple[str, str, str], Hit] = {}
    for hit in (hit for hits in searches for hit in hits):
        key = (hit.kind, hit.session_id, hit.id)
        if key not in best or hit.score > best[key].score:
            best[key] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)


def relevant_hits(hits: Sequence[Hit]) -> list[Hit]:
    """A search always finds its nearest; these bear on the query, best first."""
    return [hit for hit in hits if hit.words > 0 or hit.similarity >= _LEAST_SIMILARITY]


def is_echo(row: TurnRow) -> bool:
    """A question whose answer only quoted other turns: it knows nothing of its own."""
    return row.quoted and row.intent == "question"


def sources_of(passages: Sequence[Passage]) -> list[Source]:
    return [
        Source(**_origin(passage), score=passage.score, quote=_shortened(passage.input))
        for passage in passages
    ]


def _passage(hit: Hit) -> Passage:
    return Passage(
        **_origin(hit),
        score=hit.score,
        similarity=hit.similarity,
        input=hit.input or hit.text,
        output=hit.output,
        quoted=hit.quoted,
        outdated=hit.outdated,
    )


def _origin(known: Hit | Passage) -> dict[str, Any]:
    return {name: getattr(known, name) for name in Origin.__struct_fields__}


def passage_of_row(row: TurnRow) -> Passage:
    """A turn that no search found: it stands beside one that was, or in the session."""
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


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _QUOTE_CHARACTERS else f"{one_line[: _QUOTE_CHARACTERS - 1]}…"
