"""Which stores owe the erasure of bytes, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.indexer.forgetting.debts import Debt, Owed
from services.indexer.postgres.database import Database

OWE: Final = """
INSERT INTO pandora.unerased (store, cause)
SELECT store, cause FROM unnest($1::text[]) AS stores (store), unnest($2::text[]) AS causes (cause)
ON CONFLICT DO NOTHING RETURNING store, cause, since
"""
"""For a transaction that removes something. Returns what none owed before."""
_OWE_ANEW = """
INSERT INTO pandora.unerased (store, cause, since)
SELECT store, $2, clock_timestamp() FROM unnest($1::text[]) AS stores (store)
ON CONFLICT (store, cause) DO UPDATE SET since = excluded.since
"""
_PAID = """
DELETE FROM pandora.unerased AS u
USING unnest($1::text[], $2::text[], $3::timestamptz[]) AS paid (store, cause, since)
WHERE (u.store, u.cause, u.since) = (paid.store, paid.cause, paid.since)
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
        return debts_in(await self._database.fetch("SELECT store, cause, since FROM pandora.unerased"))

    async def owe(self, stores: Sequence[Owed], cause: str) -> None:
        await self._database.fetch(_OWE_ANEW, list(stores), cause)

    async def paid(self, debts: Sequence[Debt]) -> None:
        columns = [[getattr(debt, name) for debt in debts] for name in Debt.__struct_fields__]
        await self._database.fetch(_PAID, *columns)

    async def owed_since(self) -> datetime | None:
        ((since,),) = await self._database.fetch(_OWED_SINCE)
        moment: datetime | None = since
        return moment


def debts_in(records: Sequence[Any]) -> list[Debt]:
    return [Debt(record["store"], record["cause"], record["since"]) for record in records]
