"""Brings the schema up to date: numbered SQL files, each applied once, in order, by one process at a time.

It is not by a library, since none both locks the database and notices a change of an applied file.
"""

import hashlib
import re
from pathlib import Path

import asyncpg

from shared.process.environment import SettingsError

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_263_481_905
"""Of an advisory lock. Any number that no other program uses in this database."""
_CONNECT_SECONDS = 5.0


async def migrate(dsn: str, folder: Path = FOLDER, *, lock_seconds: float | None = None) -> list[str]:
    """Returns the names of those applied now. Raises SettingsError where an applied file has changed.

    `lock_seconds`: the longest wait for another process that does the same; None: as long as that takes.
    """
    connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=lock_seconds)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.pandora_migrations"
            " (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
        )
        known = dict(await connection.fetch("SELECT name, sha256 FROM public.pandora_migrations"))
        return [path.stem for path in _files(folder) if await _apply(connection, path, known)]
    finally:
        await connection.close()  # This releases the advisory lock too.


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.sql") if re.match(r"\d{4}_\w+$", path.stem))


async def _apply(connection: asyncpg.Connection, path: Path, known: dict[str, str]) -> bool:
    sql = path.read_text("utf-8")  # noqa: ASYNC240 - a small file, once at the start
    digest = hashlib.sha256(sql.encode()).hexdigest()
    if path.stem in known:
        if known[path.stem] != digest:
            raise SettingsError(
                f"migration {path.name} was changed after it had been applied to this database. "
                "Put the file back as it was and write the change as a new migration."
            )
        return False
    async with connection.transaction():
        await connection.execute(sql)
        await connection.execute(
            "INSERT INTO public.pandora_migrations (name, sha256) VALUES ($1, $2)", path.stem, digest
        )
    return True
