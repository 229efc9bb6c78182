"""Where the gateway is, and with which key it is asked."""

import re

from shared.process.environment import GATEWAY_HOST, GATEWAY_PORT, given_settings, reachable

_URL = re.compile(r"https?://.+")
_PORT = re.compile(r"[1-9]\d{0,4}")


def gateway_url() -> str:
    """Without a final slash. Raises SettingsError."""
    given = given_settings()
    url, port = given.get("PANDORA_URL"), given.get("GATEWAY_PORT", str(GATEWAY_PORT))
    if not (_URL.fullmatch(url) if url else _PORT.fullmatch(port) and int(port) <= 65_535):
        _check()
    scheme = "https" if "GATEWAY_TLS_CERT_FILE" in given else "http"
    return (url or f"{scheme}://{reachable(given.get('GATEWAY_HOST', GATEWAY_HOST))}:{port}").rstrip("/")


def gateway_key() -> str | None:
    return given_settings().get("PANDORA_API_KEY")


def _check() -> None:
    """Raises SettingsError for the wrong setting, as every process does."""
    from cli.client.settings import ClientSettings  # Takes a quarter of a second to import.
    from services.gateway.settings import GatewaySettings
    from shared.process.settings import load

    load(ClientSettings)
    load(GatewaySettings)
