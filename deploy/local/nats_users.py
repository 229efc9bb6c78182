"""Who may connect to the NATS server: an nkey for each, and the rights that go with it.

The folder (NATS_USERS_DIR) has a seed file for each service and for the operator, which only its owner may
read. The part of a NATS server's configuration that names them has public keys and rights, and no secret.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import nkeys

from shared.bus.identity import seed_file
from shared.bus.rights import IDENTITIES, Rights, rights_of, rights_of_user
from shared.contract.events import User
from shared.process.environment import SettingsError

_ROUTES: Final = "cluster.secret"
_USERS: Final = "people"
_HEAD: Final = """# Written by `pandora up` and `pandora nats users`; changes here are lost.
# Include it at the top level of the configuration of a NATS server.
"""


def write_users(folder: Path, file: Path) -> None:
    """Makes the seeds that are missing, and writes that part of the configuration anew.

    Raises SettingsError where they cannot be written.
    """
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        rights = {_key_of(seed_file(folder, one)): (one, rights_of(one)) for one in IDENTITIES}
        rights |= {_key_of(user_seed(folder, one)): (one, rights_of_user(one)) for one in users_in(folder)}
        _replace(file, _HEAD + _authorization(rights))
    except OSError as error:
        raise SettingsError(
            f"NATS_USERS_DIR={str(folder)!r}: {error.strerror or error}. "
            "Set it to a folder that you may write."
        ) from error


def user_seed(folder: Path, user: str) -> Path:
    """Where the seed of a user's programs lies."""
    return folder / _USERS / f"{user}.seed"


def users_in(folder: Path) -> list[str]:
    """The users whose programs may connect."""
    return sorted(file.name.removesuffix(".seed") for file in (folder / _USERS).glob("*.seed"))


def add_user(folder: Path, user: str) -> None:
    """Makes the seed of a user's programs. The same again changes nothing. Raises SettingsError."""
    try:
        msgspec.convert(user, User)
        (folder / _USERS).mkdir(mode=0o700, parents=True, exist_ok=True)
        _key_of(user_seed(folder, user))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{user!r} is no name of a user: {error}") from error
    except OSError as error:
        raise SettingsError(f"{folder / _USERS}: {error.strerror or error}") from error


def remove_user(folder: Path, user: str) -> None:
    """Raises SettingsError where the user has none."""
    if user not in users_in(folder):
        raise SettingsError(f"{user!r} has no credentials. `pandora nats users list` shows who has.")
    user_seed(folder, user).unlink()


def route_secret(folder: Path) -> str:
    """What the servers of an embedded cluster show each other. Made once."""
    return _kept(folder / _ROUTES, lambda: secrets.token_hex(16))


# --- users.conf ---


def _authorization(rights: Mapping[str, tuple[str, Rights]]) -> str:
    users = ",\n".join(_user(key, name, its) for key, (name, its) in rights.items())
    return f"authorization {{\n  users: [\n{users}\n  ]\n}}\n"


def _user(key: str, name: str, rights: Rights) -> str:
    return (
        f"    # {name}\n"
        f"    {{ nkey: {key}, permissions: {{\n"
        f"      publish: {{ allow: {json.dumps(rights.publish)} }}\n"
        f"      subscribe: {{ allow: {json.dumps(rights.subscribe)} }}\n"
        "    } }"
    )


# --- seeds ---


def _key_of(file: Path) -> str:
    """The public key of a seed file, which is made where there is none."""
    seed = _kept(file, lambda: nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER).decode())
    try:
        key: bytes = nkeys.from_seed(bytearray(seed.encode())).public_key
    except (nkeys.NkeysError, ValueError) as error:
        raise SettingsError(
            f"{file} holds no nkey ({error!r}). Remove it: a new one is made at the next start."
        ) from error
    return key.decode()


def _kept(file: Path, make: Callable[[], str]) -> str:
    """What the file holds. Where there is none it is made, for its owner alone."""
    if not file.exists():
        _replace(file, make() + "\n", mode=0o600)
    return file.read_text(encoding="utf-8").strip()


def _replace(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Whole or not at all, also where the power fails."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=mode)
    with draft.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)
