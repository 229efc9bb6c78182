"""What rows and points lack is found and made."""

from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from services.indexer.passages.index import Selection
from services.indexer.postgres.migrations import FOLDER, migrate
from tests.contracts.indexer.generations.generations_room import SESSIONS, TEXTS, Installation, is_right, tell
from tests.unit.samples import message


async def test_turns_of_before_there_were_messages_are_found(
    installation: Installation, empty_database: str, tmp_path: Path
) -> None:
    """An upgrade from version 0.1: rows of turns, and points of turns that nothing reads any more."""
    installation.dsn = empty_database
    former = tmp_path / "migrations"
    former.mkdir()
    for path in sorted(FOLDER.glob("*.sql"))[:2]:
        (former / path.name).write_text(path.read_text())
    assert await migrate(installation.dsn, former) == ["0001_turns", "0002_cancelled_turns"]
    connection = await asyncpg.connect(installation.dsn)
    await connection.executemany(
        "INSERT INTO pandora.turns (turn_number, turn_id, user_id, session_id, timestamp, topic, intent,"
        " keywords, quality, turn_dir, embedding_id, recipe, model, input, output, quoted, status)"
        " VALUES ($1, $2, 'alice', 'kitchen', $3, 'bees', 'statement', '[]', 0.5, 'turn', gen_random_uuid(),"
        " 'direct', 'm', $4, $5, $6, $7)",
        [
            (n, f"t{n}", datetime.now(UTC), text, output, n % 5 == 0, "cancelled" if n == 7 else "saved")
            for n, text, output in [(n, TEXTS[n], f"noted {n}" if n % 3 else "") for n in range(1, 40)]
        ],
    )
    await connection.close()
    (installation.folder / "turns" / "segments").mkdir(parents=True)

    async with installation.started() as process:
        await process.until(lambda: not (installation.folder / "turns").exists())

        assert is_right(await process.checked())
        found = await process.found("bees roses tax lisbon honey mira sun number")
        assert len(found) == 38, "all but the cancelled one"
        order = await process.database.fetch(
            "SELECT message_id FROM pandora.messages ORDER BY ordinal LIMIT 4"
        )
        assert [record[0] for record in order] == ["t1:user", "t1:assistant", "t2:user", "t2:assistant"]


async def test_messages_that_were_stored_and_not_indexed_are_found_after_a_start(
    installation: Installation,
) -> None:
    async with installation.started(runs=False) as process:
        await process.writer.add_rows([message(n, text) for n, text in enumerate(TEXTS)])
        checked = await process.checked()
        assert [kind.rows_without_points for kind in checked.kinds] == [len(TEXTS), 0, 0]

    async with installation.started() as process:
        await process.until(lambda: len(installation.models["old"].computed) >= len(TEXTS))
        assert is_right(await process.checked())
        assert TEXTS[0] in await process.found("bees number 0")


async def test_points_that_were_lost_are_made_again_at_a_start(installation: Installation) -> None:
    async with installation.started(runs=False) as process:
        await tell(process)
        await process.generation.indexes["turn"].remove(Selection(user="alice"))
        assert await process.found("bees") == []

    async with installation.started() as process:
        await process.until(lambda: len(installation.models["old"].computed) >= 2 * len(TEXTS))
        assert is_right(await process.checked())


async def test_a_check_finds_what_is_wrong_and_mends_it_when_asked(installation: Installation) -> None:
    async with installation.started(runs=False) as process:
        await tell(process)
        gone = [message(n, "", session_id=f"session {n % SESSIONS}").point_id for n in (1, 2, 3)]
        lost = [message(n, "", session_id=f"session {n % SESSIONS}").point_id for n in (10, 20)]
        before = await process.scores("bees mira")
        await process.generation.indexes["turn"].remove(Selection(user="alice", messages=lost))
        await process.database.fetch("DELETE FROM pandora.messages WHERE point_id = ANY($1)", gone)

        for _ in range(2):
            found = (await process.checked()).kinds[0]
            assert (found.rows_without_points, found.points_without_rows) == (2, 3)
            assert (found.rows, found.points) == (57, 58)
        mended = await process.checked(mend=True)
        assert mended.mended
        assert (mended.kinds[0].rows_without_points, mended.kinds[0].points_without_rows) == (2, 3)

        assert is_right(await process.checked())
        after = await process.scores("bees mira")
        assert {key: after[key] for key in map(str, lost)} == {key: before[key] for key in map(str, lost)}
