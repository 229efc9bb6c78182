"""Every setting of the embedded stack, loaded at once, so that a wrong one is named before a start."""

import msgspec
from pydantic import Field

from services.gateway.settings import GatewaySettings
from services.indexer.settings import IndexerSettings
from services.inference.settings import InferenceSettings
from services.orchestrator.settings import OrchestratorSettings
from shared.settings import CommonSettings, PostgresSettings, load


class LocalSettings(CommonSettings):
    """What only the launcher needs."""

    nats_monitor_port: int = Field(
        8222, ge=1, le=65535, description="port of the embedded NATS server's monitoring"
    )
    nats_cluster_port: int = Field(
        6222, ge=1, le=65535, description="port between embedded NATS servers (pandora up --cluster)"
    )
    startup_timeout_seconds: float = Field(
        180.0, gt=0, le=3600, description="longest wait until every part is ready"
    )

    def for_a_command(self) -> "LocalSettings":
        """The same with short waits on the bus, for a command that somebody waits for."""
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
    """Three embedded NATS servers, `nats_url` naming them; made by deploy/local/nats.py."""


def load_stack() -> StackSettings:
    """Raises SettingsError with one line for the first wrong setting of any process."""
    return StackSettings(
        local=load(LocalSettings),
        postgres=load(PostgresSettings),
        gateway=load(GatewaySettings),
        orchestrator=load(OrchestratorSettings),
        indexer=load(IndexerSettings),
        inference=load(InferenceSettings),
    )
