"""Erases the bytes of old messages from the files of JetStream.

The server overwrites a message at once where a client deletes it. Messages that a stream dropped itself,
since they were too old or their key was written again, stay in their block until the server removes that
block. So this fills the blocks with noise: the server then begins new blocks, and compacts or removes the old
ones.
"""

import os
from collections.abc import Awaitable
from typing import TypeVar

import nats.errors
import nats.js.errors

from shared.bus.buckets import Bucket, BucketEntry, Conflict, publish_after
from shared.bus.connection import Bus
from shared.bus.streams import (
    LIVE,
    MEMORIES,
    OUTCOMES,
    PADDING,
    RESEARCH,
    SESSION_SETTINGS,
    SESSIONS,
    TURNS,
)
from shared.contract.errors import Transient

R = TypeVar("R")
_PIECE_BYTES = 900_000
"""Below NATS's own limit for a message."""
_BLOCK_BYTES = 8 * 1024 * 1024
_KEYS_BLOCK_BYTES = 4 * 1024 * 1024
_REPLICA_BYTES = 14 * 1024 * 1024
"""In a cluster. Its servers also keep logs of what they agreed on, which advance by such an amount."""
AWAY = (nats.errors.Error, nats.js.errors.Error, TimeoutError)
NO_ANSWER = "NATS does not answer while something is forgotten"


class Blocks:
    """The blocks of all streams and buckets that can hold the words of users."""

    def __init__(self, bus: Bus, *, replicas: int) -> None:
        self._bus = bus
        self._replicas = replicas
        self._buckets = (Bucket(bus, SESSIONS), Bucket(bus, SESSION_SETTINGS))

    async def erase(self) -> None:
        # TURNS takes no more than its limit: there must never be more than one piece of noise in it.
        await self._fill(f"{PADDING}.turns", _BLOCK_BYTES, purged_from=str(TURNS.name))
        for stream in (OUTCOMES, MEMORIES, RESEARCH, LIVE):
            subject = f"{PADDING}.{str(stream.name).lower()}"
            await self._fill(subject, _BLOCK_BYTES)
            await self._purge(str(stream.name), subject)
        for keys in self._buckets:
            first_new = await self._fill(keys.subject_of(PADDING), _KEYS_BLOCK_BYTES)
            await self._write_again(keys, first_new)
            await keys.purge(f"{PADDING}.*")

    async def _fill(self, subject: str, least_bytes: int, *, purged_from: str | None = None) -> int:
        """Writes more noise than one block holds. Returns the sequence of the last piece.

        `purged_from`: the stream that each piece is purged from at once.
        """
        size = _REPLICA_BYTES if self._replicas > 1 else least_bytes
        sequence = 0
        for piece in range(size // _PIECE_BYTES + 2):
            # In a bucket each piece has its own key, since a bucket keeps only the last value of a key.
            own = f"{subject}.{piece}" if subject.startswith("$KV.") else subject
            ack = await answered(self._bus.jetstream.publish(own, os.urandom(_PIECE_BYTES)))
            sequence = int(ack.seq)
            if purged_from is not None:
                await self._purge(purged_from, own)
        return sequence

    async def _purge(self, stream: str, subject: str) -> None:
        await answered(self._bus.jetstream.purge_stream(stream, subject=subject))

    async def _write_again(self, keys: Bucket, before: int) -> None:
        """Writes every key that is still in an old block anew, so that the server can remove the block."""
        for key in await keys.keys():
            if key.startswith(f"{PADDING}."):
                continue
            while (entry := await keys.get(key)) is not None:
                if entry.revision > before or await self._written(keys.subject_of(key), entry):
                    break

    async def _written(self, subject: str, entry: BucketEntry) -> bool:
        """False where another process has written the key in the meantime."""
        headers = {
            name: value for name, value in entry.headers.items() if not name.startswith("Nats-Expected")
        }
        try:
            await publish_after(
                self._bus, subject, entry.value, last_sequence=entry.revision, headers=headers
            )
        except Conflict:
            return False
        return True


async def answered(call: Awaitable[R]) -> R:
    """Raises Transient for every failure: a server refuses also while it starts or a stream has no leader."""
    try:
        return await call
    except AWAY as error:
        raise Transient(NO_ANSWER) from error
