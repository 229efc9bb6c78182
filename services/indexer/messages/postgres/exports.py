"""The messages of a user in PostgreSQL, a page at a time."""

from services.indexer.postgres.database import Database
from shared.contract.requests import HeldMessage

_PAGE = """
SELECT session_id, message_id, speaker, text, at, ordinal FROM pandora.messages
WHERE user_id = $1 AND ($2::text IS NULL OR (session_id, ordinal) > ($2, $3))
ORDER BY session_id, ordinal LIMIT $4
"""


class PostgresMessagePages:
    """MessagePages over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, user: str, after_session: str | None, after_ordinal: int, *, limit: int
    ) -> list[HeldMessage]:
        records = await self._database.fetch(_PAGE, user, after_session, after_ordinal, limit)
        return [HeldMessage(**dict(record)) for record in records]
