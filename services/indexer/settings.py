"""Settings of the indexer."""

from typing import Literal

from pydantic import Field, SecretStr

from shared.process.settings import PostgresSettings
from shared.redis.settings import RedisSettings


class IndexerSettings(PostgresSettings, RedisSettings):
    """PostgreSQL, Qdrant and the embedding model."""

    indexer_port: int = Field(8091, ge=1, le=65535, description="port of health and metrics")
    qdrant_url: str | None = Field(
        None, pattern=r"^https?://", description="a Qdrant server; unset: Qdrant's engine in this process"
    )
    qdrant_api_key: SecretStr | None = Field(None, description="key of the Qdrant server")
    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        min_length=1,
        description="a sentence-transformers name or folder; the default comes with the installation",
    )
    embedding_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="number format of the model; auto: the fastest here; else computed by torch in this one",
    )
    embedding_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="calls of the model at a time, one core each; 0: as many as there are cores",
    )
    embedding_batch_texts: int = Field(
        4,
        ge=1,
        le=1024,
        description="texts in one call of the model; a waiting query waits for one such call",
    )
    query_cache_entries: int = Field(10_000, ge=0, description="vectors of recent queries kept in memory")
    index_batch_turns: int = Field(64, ge=1, le=1024, description="most turns indexed together")
    index_batch_seconds: float = Field(
        0.02, ge=0, le=5, description="longest wait for more turns to index together"
    )
    index_mend_minutes: float = Field(
        10.0, gt=0, le=10_000, description="between looks for messages that have no points yet"
    )
    postgres_pool_connections: int = Field(8, ge=1, le=100, description="connections to PostgreSQL")
