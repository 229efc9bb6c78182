"""The receipt of a request to forget: what was removed from each store, and what remains."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from shared.contract.events import ForgetRequested
from shared.contract.requests import Receipt, Store, StoreReceipt

_REMAINS = [
    "backups and snapshots of the data folder or of the databases, until they expire",
    "what other programs have read from NATS or over HTTP",
]


def new_receipt(order: ForgetRequested, erased_by: datetime) -> Receipt:
    return Receipt(
        forget_id=order.forget_id,
        user=order.user,
        scope=order.scope,
        target=order.target,
        requested_at=order.requested_at,
        state="pending",
        erased_by=erased_by,
        remains=_REMAINS,
    )


def with_stores(receipt: Receipt, stores: Sequence[StoreReceipt]) -> Receipt:
    """Adds what was removed from these stores to what the receipt counts already."""
    by_store = {one.store: one for one in receipt.stores}
    for one in stores:
        before = by_store[one.store].removed if one.store in by_store else 0
        by_store[one.store] = msgspec.structs.replace(one, removed=before + one.removed)
    return msgspec.structs.replace(receipt, stores=list(by_store.values()))


def erased(receipt: Receipt, rows: Mapping[Store, StoreReceipt]) -> Receipt:
    """`rows` are the indexer's stores. The bytes of all other stores are erased by now."""
    return msgspec.structs.replace(
        receipt, state="erased", stores=[_erased(one, rows.get(one.store)) for one in receipt.stores]
    )


def _erased(receipt: StoreReceipt, rows: StoreReceipt | None) -> StoreReceipt:
    if rows is None:
        return msgspec.structs.replace(receipt, erased=True)
    return msgspec.structs.replace(receipt, erased=rows.erased, remains=rows.remains)
