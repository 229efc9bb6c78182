"""Every setting of the embedded stack, loaded before the start: a wrong one ends it at once."""

import msgspec
from pydantic import Field
from pydantic_settings import BaseSettings

from services.gateway.settings import GatewaySettings
from services.indexer.settings import IndexerSettings
from services.inference.settings import InferenceSettings
from services.orchestrator.settings import OrchestratorSettings
from shared.process.settings import PostgresSettings, load
from shared.redis.settings import RedisSettings


class LocalSettings(RedisSettings):
    """The settings of the launcher alone."""

    nats_monitor_port: int = Field(
        8222, ge=1, le=65535, description="port of the embedded NATS server's monitoring"
    )
    nats_cluster_port: int = Field(
        6222, ge=1, le=65535, description="port between embedded NATS servers (pandora up --cluster)"
    )
    redis_port: int = Field(6379, ge=1, le=65535, description="port of the embedded Redis that counts")
    redis_cache_port: int = Field(6380, ge=1, le=65535, description="port of the embedded Redis for caches")
    startup_timeout_seconds: float = Field(
        180.0,
        gt=0,
        le=3600,
        description="longest wait until every part is ready, in seconds; services may be so later",
    )
    restart_limit: int = Field(
        5, ge=1, le=1000, description="deaths of one part within a minute that end the whole stack"
    )

    def for_a_command(self) -> "LocalSettings":
        """Returns the same with short waits on the bus, for a command in a terminal."""
        return self.model_copy(update={"request_timeout_seconds": 2.0, "stop_timeout_seconds": 1.0})


class StackSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the launcher and of every process that it starts."""

    local: LocalSettings
    postgres: PostgresSettings
    gateway: GatewaySettings
    orchestrator: OrchestratorSettings
    indexer: IndexerSettings
    inference: InferenceSettings
    cluster: bool = False
    """There are three embedded NATS servers, and `nats_url` names them. `deploy/local/nats.py` sets it."""


def load_stack() -> StackSettings:
    """Raises SettingsError with one line for the first wrong setting."""
    return StackSettings(
        local=load(LocalSettings),
        postgres=load(PostgresSettings),
        gateway=load(GatewaySettings),
        orchestrator=load(OrchestratorSettings),
        indexer=load(IndexerSettings),
        inference=load(InferenceSettings),
    )


def addresses_of(settings: StackSettings) -> dict[str, str]:
    """Returns by name the settings that say where the parts listen; none of them holds a password."""
    parts: tuple[BaseSettings, ...] = (
        settings.local,
        settings.postgres,
        settings.gateway,
        settings.orchestrator,
        settings.indexer,
        settings.inference,
    )
    return {
        field.upper(): str(getattr(part, field))
        for part in parts
        for field in type(part).model_fields
        if field.endswith(("_host", "_port"))
    }
