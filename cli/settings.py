"""Settings of the `pandora` command as a client, and the list of every setting there is."""

from typing import Final

from pydantic import Field, SecretStr

from deploy.local.parts import reachable
from deploy.local.settings import LocalSettings
from services.gateway.settings import GatewaySettings
from services.indexer.settings import IndexerSettings
from services.inference.settings import InferenceSettings
from services.orchestrator.settings import OrchestratorSettings
from shared.settings import CommonSettings, FileSettings, PostgresSettings, describe, load


class ClientSettings(CommonSettings):
    """Where `pandora ask`, `pandora dead` and `pandora import` find the gateway."""

    pandora_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="address of the gateway that ask, dead and import use; unset: the local one",
    )
    pandora_api_key: SecretStr | None = Field(None, description="key that they send to the gateway")


SETTINGS: Final[dict[str, type[CommonSettings]]] = {
    "every process": CommonSettings,
    "PostgreSQL": PostgresSettings,
    "gateway and orchestrator": FileSettings,
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "indexer": IndexerSettings,
    "inference": InferenceSettings,
    "launcher (pandora up)": LocalSettings,
    "client (pandora ask, dead, import)": ClientSettings,
}
"""Who reads which class. A setting belongs to the first that has it."""


def describe_all() -> list[tuple[str, str, str]]:
    """(name, value with secrets hidden, where it came from) of every setting once. Raises SettingsError."""
    rows: dict[str, tuple[str, str, str]] = {}
    for kind in SETTINGS.values():
        for row in describe(load(kind)):
            rows.setdefault(row[0], row)
    return list(rows.values())


def gateway_url() -> str:
    """Where the gateway is, without a final slash. Raises SettingsError."""
    address = load(ClientSettings).pandora_url
    if address is None:
        gateway = load(GatewaySettings)
        address = f"http://{reachable(gateway.gateway_host)}:{gateway.gateway_port}"
    return address.rstrip("/")
