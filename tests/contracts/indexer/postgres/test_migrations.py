"""The schema is brought up to date by numbered files, each once."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from services.indexer.postgres.migrations import FOLDER, migrate
from shared.process.environment import SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_bees.sql").write_text(
        "CREATE TABLE bees (name TEXT); INSERT INTO bees VALUES ('Maja');"
    )
    (tmp_path / "0002_hives.sql").write_text("CREATE TABLE hives (name TEXT);")
    return tmp_path


async def bees(database: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM bees"))
    finally:
        await connection.close()


async def test_each_file_is_applied_once_in_order(empty_database: str, folder: Path) -> None:
    assert await migrate(empty_database, folder) == ["0001_bees", "0002_hives"]
    assert await migrate(empty_database, folder) == []
    assert await bees(empty_database) == 1


async def test_a_new_file_is_applied_to_a_schema_that_is_there(empty_database: str, folder: Path) -> None:
    await migrate(empty_database, folder)
    (folder / "0003_more.sql").write_text("INSERT INTO bees VALUES ('Willi');")

    assert await migrate(empty_database, folder) == ["0003_more"]
    assert await bees(empty_database) == 2


async def test_four_indexers_that_start_together_apply_each_file_once(
    empty_database: str, folder: Path
) -> None:
    applied = await asyncio.gather(*(migrate(empty_database, folder) for _ in range(4)))

    assert sorted(applied) == [[], [], [], ["0001_bees", "0002_hives"]]
    assert await bees(empty_database) == 1


async def test_a_file_that_was_changed_afterwards_is_told_and_not_applied(
    empty_database: str, folder: Path
) -> None:
    await migrate(empty_database, folder)
    (folder / "0001_bees.sql").write_text("DROP TABLE bees;")

    with pytest.raises(SettingsError, match=r"0001_bees\.sql was changed"):
        await migrate(empty_database, folder)

    assert await bees(empty_database) == 1


async def test_a_file_that_fails_leaves_nothing_half_done(empty_database: str, folder: Path) -> None:
    broken = folder / "0003_broken.sql"
    broken.write_text("INSERT INTO bees VALUES ('Willi'); SELECT 1 / 0;")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database, folder)
    assert await bees(empty_database) == 1

    broken.write_text("INSERT INTO bees VALUES ('Willi');")
    assert await migrate(empty_database, folder) == ["0003_broken"]
    assert await bees(empty_database) == 2


async def test_what_is_no_numbered_file_is_left_alone(empty_database: str, folder: Path) -> None:
    for name in ("notes.sql", "1_short.sql", "0004_draft.sql.bak", "0005_with-dash.sql"):
        (folder / name).write_text("DROP TABLE bees;")

    await migrate(empty_database, folder)

    assert await bees(empty_database) == 1


async def test_pandoras_own_files_make_its_tables(empty_database: str) -> None:
    files = sorted(path.stem for path in FOLDER.glob("*.sql"))

    assert await migrate(empty_database) == files
    assert await migrate(empty_database) == []
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


def test_the_program_says_what_it_applied(empty_database: str) -> None:
    def run() -> list[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.indexer.postgres"],
            env={**os.environ, "DATABASE_URL": empty_database},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.splitlines()

    assert run() == [f"applied {file.stem}" for file in sorted(FOLDER.glob("*.sql"))]
    assert run() == ["The database is up to date."]
