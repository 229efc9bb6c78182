"""The certificate of an HTTPS server. It is read again when its files change, without a new start."""

import asyncio
import logging
import ssl
from pathlib import Path

from shared.process.environment import SettingsError

log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


class Certificate:
    """Raises SettingsError where the files are no certificate with its key."""

    def __init__(self, certificate: Path, key: Path, setting: str) -> None:
        self._files = (certificate, key)
        self._setting = setting
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen: list[tuple[int, int]] = []
        try:
            self._load()
        except OSError as error:  # ssl.SSLError is one.
            raise SettingsError(
                f"{setting}={certificate}: the certificate cannot be used with {key} ({error}). "
                "Both have to be PEM files, and belong together."
            ) from error

    async def follow(self) -> None:
        """Runs as long as the process. New connections get the new certificate."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if self._state() != self._seen:
                    self._load()
                    log.info("%s was read again", self._setting)
            except OSError as error:  # Half written: the next look may find it whole.
                log.warning("%s cannot be read now, the one before stays: %s", self._setting, error)

    def _load(self) -> None:
        seen = self._state()
        # Into a context of its own first: a chain whose key is another one would half replace the old one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
        self.context.load_cert_chain(*self._files)
        self._seen = seen

    def _state(self) -> list[tuple[int, int]]:
        return [(state.st_mtime_ns, state.st_ino) for state in (file.stat() for file in self._files)]
