"""Which of a session's last turns the model is shown: it grows, and is cut now and then.

An engine keeps what it has computed for the beginning of a prompt, and can use that while the beginning stays
the same. So the history of each turn begins with the same turn as the history before, until it is too long.
Then it is cut back to its end, and the engine computes that once more.
"""

from collections.abc import Sequence

from shared.contract.requests import TurnRow

_CHARACTERS_A_TOKEN = 4
_MOST_TURNS = 100
"""That the index lists at once."""


def history_of(rows: Sequence[TurnRow], begin: str, *, turns: int, budget_tokens: int) -> list[TurnRow]:
    """`rows`: the session's last turns, oldest first. `begin`: the id of the first turn of the last history.

    The history grows up to `2 * turns - 1` turns and `budget_tokens`. One more, and it is cut back to at most
    `turns` turns and half of the budget, but to one turn at least. The same where `begin` is not in `rows`.
    """
    if turns == 0:
        return []
    ids = [row.turn_id for row in rows]
    grown = rows[ids.index(begin) :] if begin in ids else ()
    if grown and len(grown) < 2 * turns and sum(map(_tokens, grown)) <= budget_tokens:
        return list(grown)
    return _cut_back(rows[-turns:], budget_tokens // 2)


def most_turns(turns: int) -> int:
    """Of a history that grows from `turns` turns on, before it is cut."""
    return min(_MOST_TURNS, max(0, 2 * turns - 1))


def _cut_back(rows: Sequence[TurnRow], budget_tokens: int) -> list[TurnRow]:
    left = budget_tokens
    for place in range(len(rows) - 1, -1, -1):
        left -= _tokens(rows[place])
        if left < 0:
            return list(rows[min(place + 1, len(rows) - 1) :])
    return list(rows)


def _tokens(row: TurnRow) -> int:
    return (len(row.said) + len(row.output)) // _CHARACTERS_A_TOKEN
