"""Words by PostgreSQL's full-text search, held against BM25: which of the two should the product use?"""

from collections.abc import Sequence

import asyncpg

from bench.retrieval.sets import Document, Query

_CREATE = """
CREATE TABLE bench_words (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, words TSVECTOR NOT NULL);
CREATE INDEX ON bench_words USING gin (words);
"""
# Any of the words, as BM25 takes them: all of them would find next to nothing.
_SEARCH = """
WITH asked AS (SELECT replace(plainto_tsquery('english', $2)::text, '&', '|')::tsquery AS words)
SELECT id FROM bench_words, asked WHERE user_id = $1 AND bench_words.words @@ asked.words
ORDER BY ts_rank_cd(bench_words.words, asked.words) DESC, id LIMIT $3
"""


class PostgresWords:
    """`ts_rank_cd` over `to_tsvector('english', ...)`: it knows no rarity of words."""

    name = "postgres_words"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None

    async def index(self, corpus: Sequence[Document]) -> None:
        self._connection = await asyncpg.connect(self._dsn)
        await self._connection.execute(_CREATE)
        await self._connection.executemany(
            "INSERT INTO bench_words VALUES ($1, $2, to_tsvector('english', $3))",
            [(one.id, one.metadata.user, one.searched_text) for one in corpus],
        )
        await self._connection.execute("ANALYZE bench_words")

    async def search(self, query: Query, limit: int) -> list[str]:
        assert self._connection is not None, "index comes first"
        rows = await self._connection.fetch(_SEARCH, query.metadata.user, query.text, limit)
        return [row["id"] for row in rows]
