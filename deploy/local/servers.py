"""Servers of your own in the place of embedded parts. The launcher waits for them, and starts nothing."""

import asyncio
from urllib.parse import urlsplit

import asyncpg

from deploy.local.parts import NotReady, Part, probe_http
from shared.process.environment import SettingsError

_CONNECT_SECONDS = 5.0
_NATS_PORT = 4222


def nats_server(urls: str) -> Part:
    """`urls` is NATS_URL: one server, or several of one cluster separated by commas."""

    async def probe() -> None:
        for url in urls.split(","):
            address = urlsplit(url.strip())
            if await _listens(address.hostname or "", address.port or _NATS_PORT):
                return
        raise NotReady("nothing answers at NATS_URL")

    return Part(name="nats", probe=probe)


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


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
