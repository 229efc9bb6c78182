"""Requests that wait at the same time and are carried out together: one search for what they concern."""

from collections.abc import Sequence

import msgspec

from services.orchestrator.forgetting.affected_answers import Affected
from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.forgetting.receipts import with_stores
from shared.contract.events import ForgetRequested
from shared.contract.requests import Receipt, StoreReceipt

_NAMED_TURNS = 100
"""The most turns that a receipt names."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One of these requests, what it is about, and how far it is."""

    order: ForgetRequested
    receipt: Receipt
    forgotten: Forgotten = Forgotten()

    def naming(self, turns: Sequence[str], answers: Sequence[str]) -> "Part":
        """Its receipt names these as well."""
        receipt = msgspec.structs.replace(
            self.receipt,
            turns=_each_once(self.receipt.turns, turns),
            answers=_each_once(self.receipt.answers, answers),
        )
        return msgspec.structs.replace(self, receipt=receipt)

    def having_removed(self, stores: Sequence[StoreReceipt]) -> "Part":
        return msgspec.structs.replace(self, receipt=with_stores(self.receipt, stores))

    def with_affected(self, affected: Sequence[Affected]) -> "Part":
        """Its receipt names the turns that it is about, and the answers that stood on them."""
        own = [one.turn_id for one in affected if one.was_given(self.forgotten)]
        return self.naming(sorted(self.forgotten.turn_ids), own)


def together(orders: Sequence[ForgetRequested]) -> list[list[ForgetRequested]]:
    """Those that are carried out at once: single turns and memories of one user. All others go alone."""
    groups: dict[tuple[str, str], list[ForgetRequested]] = {}
    for order in orders:
        alone = "" if order.scope in ("turn", "memory") else order.forget_id
        groups.setdefault((order.user, alone), []).append(order)
    return list(groups.values())


def whole(parts: Sequence[Part]) -> Forgotten:
    """What all of them are about. Several are about turns and memories alone."""
    first, *others = [part.forgotten for part in parts]
    return msgspec.structs.replace(
        first,
        turn_ids=first.turn_ids.union(*(one.turn_ids for one in others)),
        memory_ids=first.memory_ids.union(*(one.memory_ids for one in others)),
    )


def _each_once(*lists: Sequence[str]) -> list[str]:
    """All entries in their order, without repetitions."""
    return list(dict.fromkeys(entry for entries in lists for entry in entries))[:_NAMED_TURNS]
