"""A JetStream key-value bucket: values with headers, and writes that fail where another was faster.

nats-py's own KeyValue does not carry headers, by which watchers learn of a change without reading its value.
"""

import base64
from collections.abc import Mapping

import msgspec
import nats.errors
import nats.js.errors
from nats.js.api import Header, StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.bus import Bus
from shared.errors import Transient

_WRONG_LAST_SEQUENCE = (10071, 10164)


class Conflict(Exception):
    """The key's revision is another one by now: somebody else wrote it."""


class Entry(msgspec.Struct, frozen=True):
    value: bytes
    headers: dict[str, str]
    revision: int
    """The sequence in the bucket's stream; rises with every write of any key."""


class Keys:
    """The keys of one bucket. Raises Transient while NATS does not answer."""

    def __init__(self, bus: Bus, bucket: StreamConfig) -> None:
        self._bus = bus
        self.stream = str(bucket.name)
        self._prefix = str((bucket.subjects or [])[0]).removesuffix(">")

    async def get(self, key: str) -> Entry | None:
        try:
            # Not a direct get: any replica answers that, also one that does not know the last write yet.
            found = await self._bus.jetstream.get_last_msg(self.stream, self._prefix + key)
        except NotFoundError:
            return None
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise Transient(f"NATS does not give {self.stream} now") from error
        return Entry(found.data or b"", dict(found.headers or {}), int(found.seq or 0))

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        revision: int,
        headers: Mapping[str, str] | None = None,
        ttl_seconds: int | None = None,
    ) -> int:
        """Writes over `revision` (0: where nothing is) and returns the new one. Raises Conflict.

        A write whose answer was lost is repeated by nobody here: look at what is there, then decide.
        """
        sent = dict(headers or {})
        if ttl_seconds is not None:
            sent[Header.MSG_TTL] = str(ttl_seconds)
        return await publish_behind(
            self._bus, self._prefix + key, value, last_sequence=revision, headers=sent
        )

    async def remove(self, key: str, *, revision: int) -> None:
        """Leaves nothing of the key, unless it was written again behind `revision`."""
        await self.purge(key, before=revision + 1)

    async def purge(self, keys: str, *, before: int | None = None) -> None:
        """`keys` may hold wildcards; with `before`, only what was written before that revision goes."""
        try:
            await self._bus.jetstream.purge_stream(self.stream, seq=before, subject=self._prefix + keys)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise Transient(f"NATS does not remove from {self.stream} now") from error

    async def names(self, *first: str) -> list[str]:
        """The keys that begin with these parts of a `key_from`; all, where none is named."""
        begin = "".join(f"{part}." for part in key_from(*first).split(".")) if first else ""
        try:
            info = await self._bus.jetstream.stream_info(
                self.stream, subjects_filter=f"{self._prefix}{begin}>"
            )
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise Transient(f"NATS does not say what {self.stream} holds now") from error
        return [self.key_of(subject) for subject in info.state.subjects or {}]

    def subject_of(self, key: str) -> str:
        return self._prefix + key

    def key_of(self, subject: str) -> str:
        return subject.removeprefix(self._prefix)


async def publish_behind(
    bus: Bus, subject: str, body: bytes, *, last_sequence: int, headers: Mapping[str, str] | None = None
) -> int:
    """Stores a message right behind the subject's `last_sequence` (0: as its first); returns its own.

    Raises Conflict where the subject's last message is another one, Transient where NATS does not answer:
    then the message may be stored or not.
    """
    sent = {**(headers or {}), Header.EXPECTED_LAST_SUBJECT_SEQUENCE: str(last_sequence)}
    try:
        ack = await bus.jetstream.publish(subject, body, headers=sent)
    except APIError as error:
        if error.err_code in _WRONG_LAST_SEQUENCE:
            raise Conflict(f"{subject} is not at {last_sequence}") from error
        raise Transient(f"NATS did not store {subject}: {error.description}") from error
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS did not store {subject}: {error or type(error).__name__}") from error
    return int(ack.seq)


def key_from(*parts: str) -> str:
    """One key from texts that may hold what a key may not."""
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode() for part in parts)


def parts_of(key: str) -> tuple[str, ...]:
    """What `key_from` was given."""
    return tuple(base64.urlsafe_b64decode(part).decode() for part in key.split("."))
