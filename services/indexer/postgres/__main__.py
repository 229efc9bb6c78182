"""`python -m services.indexer.postgres`: brings the database to this version; so does an indexer that starts.

Exit status 2 where a setting is wrong, 1 where the database does not answer or refuses.
"""

import asyncio
import sys

import asyncpg

from services.indexer.postgres.migrations import migrate
from shared.process.environment import SettingsError
from shared.process.settings import PostgresSettings, load

_LOCK_SECONDS = 4.0


def main() -> int:
    try:
        applied = asyncio.run(migrate(load(PostgresSettings).dsn, lock_seconds=_LOCK_SECONDS))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.stderr.write(
            f"The database was not brought to this version: {str(error) or 'no answer in time'}. "
            "Start Pandora with `pandora up`, or set DATABASE_URL.\n"
        )
        return 1
    lines = [f"applied {name}" for name in applied] or ["The database is up to date."]
    sys.stdout.write("\n".join((*lines, "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
