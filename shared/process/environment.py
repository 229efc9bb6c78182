"""The settings as they are given: by the environment, and by `.env`. To read them costs little."""

import os
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

ENV_FILE: Final = ".env"
ENV_ENCODING: Final = "utf-8-sig"
"""With or without a byte order mark, which some editors write."""
DATA_DIR: Final = ".pandora"
GATEWAY_HOST: Final = "127.0.0.1"
GATEWAY_PORT: Final = 9000
"""Where the gateway listens by default. `pandora ask` needs to know that, and no other setting's default."""
CLIENT_SILENCE_SECONDS: Final = 30.0
"""How long an HTTP server waits for a client that sends too slowly."""


class SettingsError(Exception):
    """A setting has a wrong value. The message is one line: its name, its value, and what is allowed."""


def given_settings() -> dict[str, str]:
    """By name in capitals, without those that are empty. The environment goes before the file.

    Raises SettingsError where the file cannot be read.
    """
    return in_env_file() | {name.upper(): value for name, value in os.environ.items() if value}


def in_env_file() -> dict[str, str]:
    """By name in capitals, without those that are empty. Raises SettingsError where it cannot be read."""
    given = dotenv_values(stream=StringIO(_text_of(Path(ENV_FILE))))
    return {name.upper(): value for name, value in given.items() if value}


def _text_of(file: Path) -> str:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(
            f"{file.absolute()} cannot be read: {error.strerror}. "
            "Make it a file that you may read, or remove it."
        ) from error
    try:
        text = content.decode(ENV_ENCODING)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # Of UTF-16, every second byte.
        raise SettingsError(
            f"{file.absolute()} is not UTF-8; it may be UTF-16 or Latin-1. Save it as UTF-8 in your editor."
        )
    return text


def reachable(host: str) -> str:
    """Returns the address by which this machine reaches a listener, as a URL has it."""
    match host:
        case "0.0.0.0" | "":  # noqa: S104  # a comparison, nothing is bound here
            return "127.0.0.1"
        case "::":
            return "[::1]"
        case _:
            return f"[{host}]" if ":" in host else host
