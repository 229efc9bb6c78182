"""A JetStream key-value bucket: values with headers, and writes that fail where another one came first.

nats-py's own KeyValue has no headers. With headers a watcher learns of a change without reading its value.
"""

import base64
from collections.abc import Mapping
from contextlib import suppress

import msgspec
import nats.errors
import nats.js.errors
from nats.js.api import Header, StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.bus.connection import Bus
from shared.bus.storing import store_once
from shared.contract.errors import Transient

_WRONG_LAST_SEQUENCE = (10071, 10164)


class Conflict(Exception):
    """The key has another revision: another process has written it."""


class BucketEntry(msgspec.Struct, frozen=True):
    value: bytes
    headers: dict[str, str]
    revision: int
    """Its sequence in the stream of the bucket. It rises with every write of any key."""


class Bucket:
    """The keys of one bucket. Raises Transient while NATS does not answer."""

    def __init__(self, bus: Bus, bucket: StreamConfig) -> None:
        self._bus = bus
        self.stream = str(bucket.name)
        self._prefix = str((bucket.subjects or [])[0]).removesuffix(">")

    async def get(self, key: str) -> BucketEntry | None:
        try:
            # No direct get: a replica that does not know the last write yet may answer that.
            found = await self._bus.jetstream.get_last_msg(self.stream, self._prefix + key)
        except NotFoundError:
            return None
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise self._unavailable("read", error) from error
        return BucketEntry(found.data or b"", dict(found.headers or {}), int(found.seq or 0))

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        revision: int,
        headers: Mapping[str, str] | None = None,
        ttl_seconds: int | None = None,
    ) -> int:
        """Writes over `revision` (0: there is no value) and returns the new one. Raises Conflict.

        A write whose answer was lost is not repeated here. The caller reads the value and decides.
        """
        sent = dict(headers or {})
        if ttl_seconds is not None:
            sent[Header.MSG_TTL] = str(ttl_seconds)
        return await publish_after(self._bus, self._prefix + key, value, last_sequence=revision, headers=sent)

    async def put_last(self, key: str, value: bytes) -> None:
        """Writes over whatever is there. The last write wins, also where several processes write."""
        while True:
            entry = await self.get(key)
            with suppress(Conflict):
                await self.put(key, value, revision=0 if entry is None else entry.revision)
                return

    async def remove(self, key: str, *, revision: int) -> None:
        """Removes the key, unless it was written again after `revision`."""
        await self.purge(key, before=revision + 1)

    async def purge(self, keys: str, *, before: int | None = None) -> None:
        """Removes keys; `keys` may have wildcards. With `before` only what is older than that revision."""
        try:
            await self._bus.jetstream.purge_stream(self.stream, seq=before, subject=self._prefix + keys)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise self._unavailable("purged", error) from error

    async def keys(self, *first: str) -> list[str]:
        """The keys that begin with these parts of a `key_from`. Without parts: all keys."""
        begin = "".join(f"{part}." for part in key_from(*first).split(".")) if first else ""
        try:
            info = await self._bus.jetstream.stream_info(
                self.stream, subjects_filter=f"{self._prefix}{begin}>"
            )
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise self._unavailable("listed", error) from error
        return [self.key_of(subject) for subject in info.state.subjects or {}]

    def _unavailable(self, what: str, error: Exception) -> Transient:
        return Transient(f"{self.stream} cannot be {what} now: NATS says {error or type(error).__name__}")

    def subject_of(self, key: str) -> str:
        return self._prefix + key

    def key_of(self, subject: str) -> str:
        return subject.removeprefix(self._prefix)


async def publish_after(
    bus: Bus, subject: str, body: bytes, *, last_sequence: int, headers: Mapping[str, str] | None = None
) -> int:
    """Stores a message as the next one after the subject's `last_sequence` (0: as its first).

    Returns its sequence. Raises Conflict where the subject has another last message. Raises Transient where
    NATS does not answer: then the message may be stored or not.
    """
    sent = {**(headers or {}), Header.EXPECTED_LAST_SUBJECT_SEQUENCE: str(last_sequence)}
    try:
        return await store_once(bus.connection, subject, body, sent, bus.timeout)
    except APIError as error:
        if error.err_code in _WRONG_LAST_SEQUENCE:
            raise Conflict(f"{subject} is not at {last_sequence}") from error
        raise Transient(f"NATS did not store {subject}: {error.description}") from error
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS did not store {subject}: {error or type(error).__name__}") from error


def key_from(*parts: str) -> str:
    """One key from texts that may have characters that a key cannot have."""
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode() for part in parts)


def parts_of(key: str) -> tuple[str, ...]:
    """The texts that `key_from` made the key of."""
    return tuple(base64.urlsafe_b64decode(part).decode() for part in key.split("."))
