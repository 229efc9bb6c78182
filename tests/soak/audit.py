"""What may never be: pure rules over what the clients know and what the stores hold."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from tests.soak.ledger import LAST_TYPES, Asked
from tests.soak.stores import Folder, Stores

DOCUMENTS = ["context.md", "events.jsonl", "metadata.json", "metrics.json", "response.md"]


class Finding(msgspec.Struct, frozen=True):
    turn: str
    what: str


Rule = Callable[[list[Asked], Stores], Iterator[Finding]]


def lost(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """Accepted, and nothing tells how it ended."""
    outcomes = {outcome.turn_id for outcome in stores.outcomes}
    folders = {folder.turn_id for folder in stores.folders}
    for turn in asked:
        if turn.is_accepted and turn.turn_id not in outcomes:
            yield Finding(turn.turn_id, "has no outcome")
        if turn.is_accepted and turn.turn_id not in folders:
            yield Finding(turn.turn_id, "has no folder")


def not_accepted(asked: list[Asked], _: Stores) -> Iterator[Finding]:
    """A client that tried for minutes and never got its turn accepted."""
    for turn in asked:
        if not turn.is_accepted:
            yield Finding(f"soak {turn.number}", f"was never accepted ({turn.way})")


def duplicated(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """One thing said, and two of anything."""
    for turn in asked:
        if len(turn.told_ids) > 1:
            yield Finding(turn.turn_id, f"one key, several turns: {sorted(turn.told_ids)}")
        if len(turn.told_numbers) > 1:
            yield Finding(turn.turn_id, f"one turn, several numbers: {sorted(turn.told_numbers)}")
    for name, ids in (
        ("outcomes", [outcome.turn_id for outcome in stores.outcomes]),
        ("turn.indexed", stores.indexed),
        ("folders", [folder.turn_id for folder in stores.folders if folder.record]),
        ("rows", [row.turn_id for row in stores.rows]),
        ("messages of one role", [f"{row.turn_id} {row.role}" for row in stores.messages]),
    ):
        yield from (Finding(turn, f"{count} {name}") for turn, count in Counter(ids).items() if count > 1)
    yield from _two_stories(stores)


def _two_stories(stores: Stores) -> Iterator[Finding]:
    """An outcome or a row that tells another end or another number than the folder."""
    folders = {folder.turn_id: folder for folder in stores.folders}
    for outcome in stores.outcomes:
        folder = folders.get(outcome.turn_id)
        if folder is None:
            continue
        told = (folder.status, folder.record["turn_number"])
        if (outcome.kind.removeprefix("turn."), outcome.turn_number) != told:
            yield Finding(outcome.turn_id, f"{outcome.kind} {outcome.turn_number}, its folder says {told}")


def gaps(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """A reader who missed something, read it twice, or read another answer than the one that is kept."""
    folders = {folder.turn_id: folder for folder in stores.folders}
    for folder in stores.folders:
        yield from (Finding(folder.turn_id, f"events.jsonl: {what}") for what in wrong_in(folder))
    for turn in asked:
        yield from (Finding(turn.turn_id, fault) for fault in turn.faults)
        if not turn.is_accepted:
            continue
        indexes = [event["index"] for event in turn.events]
        if indexes != list(range(len(indexes))):
            yield Finding(turn.turn_id, f"its reader has the indexes {indexes}")
        if not turn.has_ended:
            yield Finding(turn.turn_id, "its reader never came to the end")
        elif (kept := folders.get(turn.turn_id)) is not None and kept.record:
            yield from (Finding(turn.turn_id, what) for what in other_than(turn.events, kept.events))


def wrong_in(folder: Folder) -> Iterator[str]:
    if not folder.record:
        return
    indexes = [event["index"] for event in folder.events]
    if indexes != list(range(len(indexes))):
        yield f"the indexes {indexes}"
    if not folder.events or folder.events[-1]["type"] != f"turn.{folder.status}":
        yield "does not end with the turn's end"
    if folder.record["last_index"] != len(folder.events) - 1:
        yield f"last_index is {folder.record['last_index']} of {len(folder.events)} events"
    if output_of(folder.events) != folder.record["output"]:
        yield "its pieces joined are not the output"
    if any(event["type"] in LAST_TYPES for event in folder.events[:-1]):
        yield "goes on after an end"


def output_of(events: list[dict[str, Any]]) -> str:
    """Joins the pieces after the last restart."""
    return "".join(event["text"] for event in valid_of(events) if event["type"] == "output.delta")


def valid_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    begins = [place for place, event in enumerate(events) if event["type"] == "output.restarted"]
    return events[begins[-1] :] if begins else events


def other_than(read: list[dict[str, Any]], kept: list[dict[str, Any]]) -> Iterator[str]:
    """What counts must be the same; what was void already may have been lost by a server that died."""
    if len(read) != len(kept):
        yield f"its reader has {len(read)} events, its folder {len(kept)}"
    elif output_of(read) != output_of(kept):
        yield "its reader has another answer than its folder"
    else:
        for one, other in zip(valid_of(read), valid_of(kept), strict=False):
            if (one["index"], one["type"]) != (other["index"], other["type"]):
                yield f"its reader has {one['type']} at {one['index']}, its folder {other['type']}"
                return


def orphans(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """Yields what belongs to no accepted turn, and what was left over."""
    known = {turn_id for turn in asked for turn_id in turn.told_ids}
    names = {folder.name for folder in stores.folders}
    for name, ids in (
        ("an outcome", [outcome.turn_id for outcome in stores.outcomes]),
        ("a folder", [folder.turn_id for folder in stores.folders]),
        ("a pointer", list(stores.pointers)),
        ("a row", [row.turn_id for row in stores.rows]),
        ("a message", [row.turn_id for row in stores.messages]),
        ("a point", list(stores.points.values())),
        ("a lease", [turn_id for turn_id, state in stores.leases if state != "no lease"]),
    ):
        yield from (Finding(turn, f"{name} of no accepted turn") for turn in set(ids) - known)
    messages = {row.point_id for row in stores.messages}
    for message, turn in stores.points.items():
        if message not in messages:
            yield Finding(turn, "a point of no message")
    yield from (Finding(turn, "is left in TURNS") for turn in stores.queued)
    yield from (Finding(turn, f"its lease is {state}") for turn, state in stores.leases if state == "held")
    yield from (Finding("", f"dead letter: {letter}") for letter in stores.dead)
    for folder in stores.folders:
        if folder.documents != DOCUMENTS:
            yield Finding(folder.name, f"has only {folder.documents}")
    for turn, name in stores.pointers.items():
        if name not in names:
            yield Finding(turn, f"is said to be in {name}, which is not there")


def not_indexed(_: list[Asked], stores: Stores) -> Iterator[Finding]:
    """Saved, and memory does not know it. A quoted answer is no message: it only repeats older turns."""
    asked = {row.turn_id for row in stores.messages if row.role == "user"}
    rows, told = {row.turn_id for row in stores.rows}, set(stores.indexed)
    for folder in stores.folders:
        if folder.status == "saved":
            missing = [
                name
                for name, known in (("row", rows), ("message", asked), ("turn.indexed", told))
                if folder.turn_id not in known
            ]
            if missing:
                yield Finding(folder.turn_id, f"has no {', '.join(missing)}")
    for row in stores.messages:
        if row.point_id not in stores.points:
            yield Finding(row.turn_id, f"its message of the {row.role} has no point")


def broken_cancels(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """A client was told that its turn is stopped, or that it had ended, and it was not so."""
    status = {folder.turn_id: folder.status for folder in stores.folders}
    for turn in asked:
        ended = status.get(turn.turn_id)
        if turn.cancelled is not None and turn.cancelled != (ended == "cancelled"):
            said = f"done={turn.cancelled} found={turn.cancel_found}"
            yield Finding(turn.turn_id, f"the cancel was answered {said}, and the turn is {ended}")


def broken_order(_: list[Asked], stores: Stores) -> Iterator[Finding]:
    """Two turns of one session at the same time, or a later one first."""
    spans = [span for folder in stores.folders if (span := _span(folder)) is not None]
    spans.sort(key=lambda span: (span.session, span.number))
    for one, later in pairwise(spans):
        if one.session == later.session and later.begun < one.ended:
            early = (one.ended - later.begun).total_seconds()
            yield Finding(f"turns {one.number}, {later.number}", f"of one session overlap by {early:.3f} s")


class _Span(msgspec.Struct, frozen=True):
    session: tuple[str, str]
    number: int
    begun: datetime
    ended: datetime


def _span(folder: Folder) -> _Span | None:
    """From when to when a turn ran; None where it never did."""
    if not folder.phases:
        return None
    record = folder.record
    return _Span(
        (record["user"], record["session_id"]),
        record["turn_number"],
        min(datetime.fromisoformat(phase["started_at"]) for phase in folder.phases),
        datetime.fromisoformat(record["ended_at"]),
    )


RULES: dict[str, Rule] = {
    "lost": lost,
    "never accepted": not_accepted,
    "duplicated": duplicated,
    "gaps in streams": gaps,
    "orphans": orphans,
    "not indexed": not_indexed,
    "cancels broken": broken_cancels,
    "session order broken": broken_order,
}


def audit(asked: list[Asked], stores: Stores) -> dict[str, list[Finding]]:
    return {name: list(rule(asked, stores)) for name, rule in RULES.items()}
