"""As whom a process connects: the seed of its nkey, its inboxes, and what TLS needs."""

import ssl
from pathlib import Path
from typing import Any, Protocol

from faststream.nats.security import NatsNKey, NatsSecurity

from shared.bus.rights import inbox_of
from shared.process.environment import SettingsError


class IdentitySettings(Protocol):
    """What it takes from the settings; `CommonSettings` has it."""

    @property
    def nats_users(self) -> Path: ...
    @property
    def nats_tls_ca_file(self) -> Path | None: ...
    @property
    def nats_tls_cert_file(self) -> Path | None: ...
    @property
    def nats_tls_key_file(self) -> Path | None: ...


def seed_file(folder: Path, identity: str) -> Path:
    """Where the seed of a service or of the operator lies."""
    return folder / f"{identity}.seed"


def connection_as(identity: str, settings: IdentitySettings) -> dict[str, Any]:
    """The options of a NATS connection. Without a seed file it names no user.

    Raises SettingsError where a file cannot be read.
    """
    seed, tls = seed_file(settings.nats_users, identity), _tls(settings)
    if not _is_there(seed):
        return {"security": NatsSecurity(ssl_context=tls), "inbox_prefix": inbox_of(identity)}
    return {"security": NatsNKey.from_file(seed, ssl_context=tls), "inbox_prefix": inbox_of(identity)}


def _is_there(seed: Path) -> bool:
    try:
        seed.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(
            f"{seed} cannot be read: {error.strerror}. It lets a process into NATS, and belongs to the user "
            "who started Pandora. Be that user, or set NATS_USERS_DIR to a folder with seeds of your own."
        ) from error
    return True


def _tls(settings: IdentitySettings) -> ssl.SSLContext | None:
    authority, certificate = settings.nats_tls_ca_file, settings.nats_tls_cert_file
    if authority is None and certificate is None:
        return None
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate is not None:
            context.load_cert_chain(certificate, settings.nats_tls_key_file)
    except OSError as error:  # ssl.SSLError is one.
        raise SettingsError(
            f"NATS_TLS_CA_FILE={str(authority or '')!r}, NATS_TLS_CERT_FILE={str(certificate or '')!r}: "
            f"{error}. Set them to PEM files, and NATS_TLS_KEY_FILE to the key of the certificate."
        ) from error
    return context
