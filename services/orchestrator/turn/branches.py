"""Which turns of its session a turn goes on from."""

from collections.abc import Iterable

import msgspec

from shared.contract.events import TurnRequested
from shared.contract.requests import Passage, Recalled, TurnRow


def branch_of(rows: Iterable[TurnRow], follows: int | None) -> list[TurnRow]:
    """Returns those that a turn goes on from, over any number of turns, oldest first.

    `rows`: turns of its session. `follows` as in its request.
    """
    branch: list[TurnRow] = []
    for row in sorted(rows, key=lambda row: -row.turn_number):
        if follows is None or row.turn_number <= follows:
            branch.append(row)
            follows = row.follows
    return branch[::-1]


def on_branch(recalled: Recalled, request: TurnRequested) -> Recalled:
    """What memory holds, without the turns of the session that this one leaves.

    The index marks them once this turn is saved.
    """
    follows = request.follows
    if follows is None:
        return recalled

    def is_left(one: Passage | TurnRow) -> bool:
        return one.session_id == request.session_id and (one.turn_number or 0) > follows

    return msgspec.structs.replace(
        recalled,
        passages=[one for one in recalled.passages if not is_left(one)],
        neighbours=[one for one in recalled.neighbours if not is_left(one)],
    )
