"""Reads the setting MCP_SERVERS: the servers of the Model Context Protocol that offer tools."""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from services.orchestrator.tools.tool import Permission
from shared.process.environment import SettingsError

_BUILT_IN: Final = frozenset({"clock", "calculator", "memory", "turns", "content", "files", "research"})


class McpServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server: a command to start, or the address of a running server (streamable HTTP)."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$(?!\n)")]
    """The names of its tools begin with it: `<name>.<tool>`."""
    command: str | None = None
    args: list[str] = []
    env: dict[str, str] = {}
    """Variables for the command. Of this process's environment it gets only PATH, HOME and a few others."""
    url: str | None = None
    headers: dict[str, str] = {}
    """Sent with every request to the url, for example Authorization."""
    tools: list[str] = msgspec.field(default_factory=lambda: ["*"])
    """Names or patterns (`read_*`) of the tools that may be used."""
    permission: Permission = "write"
    approval: bool = True
    """Whether a person has to allow each call."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    """Longest time of a call."""
    result_characters: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 8_000


def read_mcp_servers(setting: str) -> list[McpServer]:
    """Reads a JSON list; an empty setting means no servers. Raises SettingsError."""
    if not setting.strip():
        return []
    try:
        servers = msgspec.json.decode(setting, type=list[McpServer])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SettingsError(
            f'MCP_SERVERS: {error}. Write it like [{{"name": "notes", "command": "mcp-notes"}}]'
        ) from error
    _check(servers)
    return servers


def _check(servers: Sequence[McpServer]) -> None:
    names = [server.name for server in servers]
    for number, server in enumerate(servers):
        place = f"MCP_SERVERS[{number}] ({server.name})"
        if (server.command is None) == (server.url is None):
            raise SettingsError(f"{place}: give it a command or a url, and not both")
        if server.url is not None and re.match(r"https?://[^/]", server.url) is None:
            raise SettingsError(f"{place}.url must begin with http:// or https://")
        if server.name in _BUILT_IN:
            raise SettingsError(f"{place}.name is that of Pandora's own tools; call it otherwise")
        if server.name in names[:number]:
            raise SettingsError(f"{place}.name is given twice; call one of the two otherwise")
