"""`pandora nats`: who may connect to the NATS server."""

import os
import signal
from pathlib import Path

from cli.run.run_folder import RunFolder
from cli.terminal.output import print_note, print_text
from deploy.local.nats import USERS_CONF
from deploy.local.nats_users import add_user, remove_user, user_seed, users_in, write_users
from deploy.local.order import NATS, NATS_NODES
from deploy.local.settings import LocalSettings
from shared.bus.rights import inbox_of_user
from shared.process.settings import load


def write(config: Path | None) -> None:
    """Makes the seeds that are missing, and writes the part of the configuration. Raises SettingsError."""
    settings = load(LocalSettings)
    file = config or settings.nats_users / USERS_CONF
    write_users(settings.nats_users, file)
    print_text(str(file))
    print_note(
        f"The seeds are in {settings.nats_users}. Put `include {file.name}` into the configuration of the "
        "NATS server, with this file next to it, and reload the server. A service on another machine needs "
        "its own seed there, and NATS_USERS_DIR."
    )


def show() -> None:
    for user in users_in(load(LocalSettings).nats_users):
        print_text(user)


def add(user: str) -> None:
    """Raises SettingsError where the name is none, or the files cannot be written."""
    settings = load(LocalSettings)
    add_user(settings.nats_users, user)
    _apply(settings)
    print_text(str(user_seed(settings.nats_users, user)))
    print_note(f"Programs of {user} connect with it and the inbox prefix {inbox_of_user(user)}.")


def remove(user: str) -> None:
    settings = load(LocalSettings)
    remove_user(settings.nats_users, user)
    _apply(settings)


def _apply(settings: LocalSettings) -> None:
    """Lets the embedded server read its users anew, where it runs; nobody loses a connection by it."""
    if settings.nats_url is not None:
        write(None)
        return
    folder = RunFolder(settings.pandora_data_dir)
    state = folder.read_state() if folder.holder() is not None else None
    if state is None:
        return  # They are read at the next start.
    write_users(settings.nats_users, folder.data / "run" / USERS_CONF)
    for name in (NATS, *NATS_NODES):
        if (part := state.parts.get(name)) is not None:
            os.kill(part.process.pid, signal.SIGHUP)
