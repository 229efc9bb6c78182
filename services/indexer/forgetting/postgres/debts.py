"""Which stores owe the erasure of bytes, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.indexer.forgetting.debts import Debt
from services.indexer.postgres.database import Database

OWE: Final = """
INSERT INTO pandora.unerased (store, cause)
SELECT store, cause FROM unnest($1::text[]) AS stores (store), unnest($2::text[]) AS causes (cause)
ON CONFLICT DO NOTHING RETURNING store, cause
"""
"""For a transaction that removes something. Returns what none owed before."""
_PAID = """
DELETE FROM pandora.unerased AS u USING unnest($1::text[], $2::text[]) AS paid (store, cause)
WHERE (u.store, u.cause) = (paid.store, paid.cause)
"""
_OWED_SINCE = """
SELECT least(
    (SELECT min(since) FROM pandora.unerased),
    (SELECT min(requested_at) FROM pandora.forgotten WHERE receipt ->> 'state' = 'forgotten')
)
"""


class PostgresDebts:
    """DebtTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owed(self) -> list[Debt]:
        return debts_in(await self._database.fetch("SELECT store, cause FROM pandora.unerased"))

    async def paid(self, debts: Sequence[Debt]) -> None:
        stores, causes = [debt.store for debt in debts], [debt.cause for debt in debts]
        await self._database.fetch(_PAID, stores, causes)

    async def owed_since(self) -> datetime | None:
        ((since,),) = await self._database.fetch(_OWED_SINCE)
        moment: datetime | None = since
        return moment


def debts_in(records: Sequence[Any]) -> list[Debt]:
    return [Debt(record["store"], record["cause"]) for record in records]
