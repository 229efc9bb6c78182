"""The settings as they are given: by the environment, and by `.env`. To read them costs little."""

import os
from typing import Final

from dotenv import dotenv_values

ENV_FILE: Final = ".env"
GATEWAY_HOST: Final = "127.0.0.1"
GATEWAY_PORT: Final = 9000
"""Where the gateway listens by default. `pandora ask` needs to know that, and no other setting's default."""


def given_settings() -> dict[str, str]:
    """By name in capitals, without those that are empty. The environment goes before the file."""
    given = {**dotenv_values(ENV_FILE), **os.environ}
    return {name.upper(): value for name, value in given.items() if value}


def reachable(host: str) -> str:
    """Returns the address by which this machine reaches a listener, as a URL has it."""
    match host:
        case "0.0.0.0" | "":  # noqa: S104  # a comparison, nothing is bound here
            return "127.0.0.1"
        case "::":
            return "[::1]"
        case _:
            return f"[{host}]" if ":" in host else host
