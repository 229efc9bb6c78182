"""Every setting, by the class that declares it."""

from typing import Final

from rich.text import Text

from cli.client.settings import ClientSettings
from cli.terminal.output import console, plain_table, print_json
from deploy.local.settings import LocalSettings
from services.gateway.settings import GatewaySettings, LimitSettings
from services.indexer.settings import IndexerSettings
from services.inference.settings import InferenceSettings
from services.orchestrator.settings import OrchestratorSettings
from shared.process.settings import CommonSettings, FileSettings, PostgresSettings, describe, load
from shared.redis.settings import RedisSettings

SETTINGS: Final[dict[str, type[CommonSettings]]] = {
    "every process": CommonSettings,
    "PostgreSQL": PostgresSettings,
    "Redis": RedisSettings,
    "gateway and orchestrator": FileSettings,
    "limits of users": LimitSettings,
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "indexer": IndexerSettings,
    "inference": InferenceSettings,
    "launcher (pandora up)": LocalSettings,
    "client (pandora ask, dead, import)": ClientSettings,
}
"""By the reader of each class. A setting belongs to the first class that has it."""


def show_settings(*, as_json: bool) -> None:
    """Prints each setting, its value and where it came from. Raises SettingsError."""
    rows = describe_all()
    if as_json:
        print_json([{"name": name, "value": value, "origin": origin} for name, value, origin in rows])
        return
    table = plain_table("setting", "value", "from")
    for name, value, origin in rows:
        table.add_row(name, Text(value), Text(origin, style="" if origin == "default" else "bold"))
    console.print(table)


def describe_all() -> list[tuple[str, str, str]]:
    """Returns (name, value, origin) of each setting. Secrets are hidden. Raises SettingsError."""
    rows: dict[str, tuple[str, str, str]] = {}
    for kind in SETTINGS.values():
        for row in describe(load(kind)):
            rows.setdefault(row[0], row)
    return list(rows.values())
