"""Which calls of a turn wait for a person or their client, what was answered, and how long that took."""

from collections.abc import Iterable
from datetime import datetime

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    tool: str
    at: datetime
    until: datetime | None = None
    """None: it waits."""
    for_client: bool = False
    answer: bool | str | None = None
    """A text: what came of a call that the client made. None after its end: no answer came."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    asked: dict[str, Asked] = {}
    """By the call's key: its round and its id."""


def key_of(round_: int, call_id: str) -> str:
    return f"{round_}.{call_id}"


def waiting(approval: Approval) -> list[str]:
    return [key for key, asked in approval.asked.items() if asked.until is None]


def waits_for_client(approval: Approval) -> bool:
    """For its client, and for no person."""
    left = [asked.for_client for asked in approval.asked.values() if asked.until is None]
    return bool(left) and all(left)


def decided(approval: Approval, keys: Iterable[str], answer: bool | str | None, at: datetime) -> Approval:
    changes = {key: msgspec.structs.replace(approval.asked[key], until=at, answer=answer) for key in keys}
    return Approval(asked={**approval.asked, **changes})


def seconds_spent(approval: Approval, now: datetime) -> float:
    """With at least one call waiting."""
    total, covered = 0.0, None
    for asked in sorted(approval.asked.values(), key=lambda one: one.at):
        begin = asked.at if covered is None else max(asked.at, covered)
        end = asked.until or now
        total += max(0.0, (end - begin).total_seconds())
        covered = end if covered is None else max(covered, end)
    return total
