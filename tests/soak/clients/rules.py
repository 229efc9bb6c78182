"""What may never be, by what the programs know and what the stores hold."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby

from tests.soak.audit import Finding, broken_order, not_indexed, orphans, wrong_in
from tests.soak.audit import duplicated as twice_in_a_store
from tests.soak.clients.programs import Asked
from tests.soak.ledger import Asked as Told
from tests.soak.stores import Folder, Stores

_RAW = ("raw", "raw left")
Rule = Callable[[list[Asked], Stores], Iterator[Finding]]


def folders_of(asked: list[Asked], stores: Stores) -> dict[int, list[Folder]]:
    """The turns of each request, by its number: the first word of what was said tells it."""
    found: dict[int, list[Folder]] = defaultdict(list)
    tokens = {one.plan.token: one.plan.number for one in asked}
    for folder in stores.folders:
        number = tokens.get(str(folder.record.get("input", "")).partition(" ")[0])
        if number is not None:
            found[number].append(folder)
    return found


def lost(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """Answered, or repeated until it was, and there is no turn. A client that left may have had none."""
    turns = folders_of(asked, stores)
    for one in asked:
        if not one.is_over:
            yield Finding(one.plan.token, f"was never answered ({one.plan.kind})")
        elif one.plan.kind not in (*_RAW, "left") and not turns[one.plan.number]:
            yield Finding(one.plan.token, f"has no turn ({one.plan.kind})")
    known = {folder.turn_id for folder in stores.folders}
    for one in asked:
        for turn_id in one.turn_ids - known if one.plan.kind not in _RAW else ():
            yield Finding(one.plan.token, f"was answered by {turn_id}, which is not stored")


def doubled(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """One request, and two turns. One that failed may be followed by another try."""
    turns = folders_of(asked, stores)
    for one in asked:
        ended = [folder for folder in turns[one.plan.number] if folder.status != "failed"]
        if len(ended) > 1:
            yield Finding(one.plan.token, f"{len(ended)} turns ({one.plan.kind})")
        if one.plan.kind in _RAW and turns[one.plan.number]:
            yield Finding(one.plan.token, "a request to the engine's model is a turn")
    yield from twice_in_a_store([], stores)


def gaps(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """What a client read is not what is kept."""
    turns = folders_of(asked, stores)
    for one in asked:
        yield from (Finding(one.plan.token, fault) for fault in one.faults)
        kept = [folder.record["output"] for folder in turns[one.plan.number] if folder.status == "saved"]
        is_whole = one.answer is not None and one.status in ("", "completed")
        if kept and is_whole and one.answer not in kept:
            yield Finding(
                one.plan.token, f"its client read {one.answer!r}, and {kept} is kept ({one.plan.kind})"
            )
    for folder in stores.folders:
        yield from (Finding(folder.turn_id, f"events.jsonl: {what}") for what in wrong_in(folder))


def cancels(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """A client was told that its response is stopped, or that it had ended, and it was not so."""
    turns = folders_of(asked, stores)
    for one in asked:
        for folder in turns[one.plan.number] if one.plan.kind == "cancel" else ():
            if (one.status == "cancelled") != (folder.status == "cancelled"):
                yield Finding(
                    one.plan.token, f"the cancel told {one.status}, and the turn is {folder.status}"
                )


def sessions(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """A conversation that grows is one session, and a new one is another."""
    turns = folders_of(asked, stores)

    def talk(one: Asked) -> tuple[int, int]:
        return (one.plan.client, one.conversation)

    owners: dict[str, tuple[int, int]] = {}
    for conversation, its in groupby(sorted(asked, key=talk), talk):
        found = {folder.record["session_id"] for one in its for folder in turns[one.plan.number]}
        if len(found) > 1:
            yield Finding(f"conversation {conversation}", f"is {len(found)} sessions")
        for session in found:
            if owners.setdefault(session, conversation) != conversation:
                yield Finding(session, f"is two conversations, {owners[session]} and {conversation}")


def left_over(asked: list[Asked], stores: Stores) -> Iterator[Finding]:
    """Of no request."""
    known = {folder.turn_id for found in folders_of(asked, stores).values() for folder in found}
    told = Told(number=0, way="", user="", session_id="", told_ids=known)
    yield from orphans([told], stores)


RULES: dict[str, Rule] = {
    "lost": lost,
    "doubled": doubled,
    "gaps": gaps,
    "cancels broken": cancels,
    "sessions broken": sessions,
    "orphans": left_over,
    "not indexed": lambda _, stores: not_indexed([], stores),
    "session order broken": lambda _, stores: broken_order([], stores),
}


def audit(asked: list[Asked], stores: Stores) -> dict[str, list[Finding]]:
    return {name: list(rule(asked, stores)) for name, rule in RULES.items()}
