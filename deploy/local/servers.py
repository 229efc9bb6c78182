"""Servers of your own in the place of embedded parts. The launcher waits for them, and starts nothing."""

from urllib.parse import urlsplit

import asyncpg

from deploy.local.parts import NotReady, Part, listens, probe_http
from shared.process.environment import SettingsError

_CONNECT_SECONDS = 5.0
_NATS_PORT = 4222
_REDIS_PORT = 6379


def nats_server(urls: str) -> Part:
    """`urls` is NATS_URL: one server, or several of one cluster separated by commas."""

    async def probe() -> None:
        for url in urls.split(","):
            address = urlsplit(url.strip())
            if await listens(address.hostname or "", address.port or _NATS_PORT):
                return
        raise NotReady("nothing answers at NATS_URL")

    return Part(name="nats", probe=probe)


def postgres_server(url: str) -> Part:
    async def probe() -> None:
        try:
            connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise SettingsError(
                f"DATABASE_URL=***: {error}. Correct the user, password or database."
            ) from None
        except ValueError as error:
            raise SettingsError(
                f"DATABASE_URL=***: {error}. It is postgresql://user:password@host:port/db."
            ) from None
        except (OSError, TimeoutError):
            raise NotReady("nothing answers at DATABASE_URL") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(f"DATABASE_URL: {error}") from None
        await connection.close()

    return Part(name="postgres", probe=probe)


def qdrant_server(url: str) -> Part:
    async def probe() -> None:
        try:
            await probe_http(f"{url.rstrip('/')}/readyz")
        except NotReady as reason:
            raise NotReady(f"QDRANT_URL: {reason}") from None

    return Part(name="qdrant", probe=probe)


def redis_server(name: str, url: str, setting: str) -> Part:
    """`setting` is the name of the one that holds `url`."""

    async def probe() -> None:
        address = urlsplit(url)
        if not await listens(address.hostname or "", address.port or _REDIS_PORT):
            raise NotReady(f"nothing answers at {setting}")

    return Part(name=name, probe=probe)
