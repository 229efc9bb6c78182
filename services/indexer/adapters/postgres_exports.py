"""The messages of a user in PostgreSQL, read from beginning to end."""

from services.indexer.adapters.postgres import Database
from shared.replies import HeldMessage

_PAGE = """
SELECT session_id, message_id, speaker, text, at, ordinal FROM pandora.messages
WHERE user_id = $1 AND ($2::text IS NULL OR (session_id, ordinal) > ($2, $3))
ORDER BY session_id, ordinal LIMIT $4
"""


class PostgresHeldMessages:
    """HeldMessages over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, user: str, after_session: str | None, after_ordinal: int, *, limit: int
    ) -> list[HeldMessage]:
        records = await self._database.fetch(_PAGE, user, after_session, after_ordinal, limit)
        return [HeldMessage(**dict(record)) for record in records]
