"""Erases from JetStream what is forgotten.

A message that is deleted is overwritten in its file at once. What a stream dropped by itself, since it was
too old or its key was written again, stays in the file until the block that holds it goes. So blocks are
filled up with noise: the server goes on in a new one, and compacts or removes the old one.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError

from services.orchestrator.adapters.nats_sessions import BusSessionRecipes
from services.orchestrator.domain.forgetting import Gone
from shared.bus import Bus
from shared.errors import Poison, Transient
from shared.events import UNREADABLE, ForgetRequested, decode, encode, live_subject
from shared.keys import Conflict, Entry, Keys, publish_behind
from shared.replay import Stored, replay
from shared.replies import EraseRows, ForgetCached, ForgetRows, Request, StillForgetting
from shared.streams import DEAD, LIVE, MEMORIES, OUTCOMES, PADDING, RESEARCH, SESSION_SETTINGS, SESSIONS

R = TypeVar("R")
_PIECE_BYTES = 900_000
"""Below NATS's largest message where nobody has raised it."""
_BLOCK_BYTES = 8 * 1024 * 1024
_KEYS_BLOCK_BYTES = 4 * 1024 * 1024
_REPLICA_BYTES = 14 * 1024 * 1024
"""The servers of a cluster keep what they agreed on in logs of their own, which such an amount moves on."""
_AT_ONCE = 16
_SILENCE_SECONDS = 10.0
_TURN_IDS_AT_ONCE = 1_000
_AWAY = (nats.errors.Error, nats.js.errors.Error, TimeoutError)
_NO_ANSWER = "NATS does not answer while something is forgotten"
_NO_MESSAGE = (10037, 10043, 10057)
"""JetStream's ways to say that the message is gone already."""


class _Statement(msgspec.Struct, frozen=True):
    turn_id: str | None = None
    session_id: str = ""
    said_at: datetime | None = None


class _Mention(msgspec.Struct):
    """What a message of any stream says of whom and what it is about."""

    user: str = ""
    turn_id: str | None = None
    session_id: str | None = None
    memory_id: str = ""
    requested_at: datetime | None = None
    statement: _Statement = _Statement()


_mention = msgspec.json.Decoder(_Mention)


class BusIndexer:
    """Indexer over the bus. Where it takes long, it has to say that it is still there."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ask(self, request: Request[R]) -> R:
        if not isinstance(request, ForgetRows | EraseRows):
            return await self._bus.ask(request, timeout=_SILENCE_SECONDS)
        question: Any = request
        following = self._bus.ask_and_follow(question, StillForgetting, silence_seconds=_SILENCE_SECONDS)
        async with aclosing(following) as answers:
            async for answer in answers:
                if not isinstance(answer, StillForgetting):
                    reply: R = answer
                    return reply
        raise Transient(f"no answer to {request.subject}")


async def hear_forgotten(bus: Bus, forget: Callable[[Sequence[str]], None]) -> None:
    """Calls `forget` with turns that are forgotten, whichever orchestrator does so."""

    async def take(message: Msg) -> None:
        with contextlib.suppress(Poison):
            forget(decode(ForgetCached, message.data).turn_ids)

    await bus.connection.subscribe(ForgetCached.subject, cb=take)


class BusTraces:
    """Traces in the streams of the bus."""

    def __init__(self, bus: Bus, *, replicas: int) -> None:
        self._bus = bus
        self._replicas = replicas
        self._buckets = (Keys(bus, SESSIONS), Keys(bus, SESSION_SETTINGS))
        self._recipes = BusSessionRecipes(bus)

    async def tell(self, turn_ids: Sequence[str]) -> None:
        for begin in range(0, len(turn_ids), _TURN_IDS_AT_ONCE):
            some = ForgetCached(turn_ids=list(turn_ids[begin : begin + _TURN_IDS_AT_ONCE]))
            await _answered(self._bus.connection.publish(some.address(), encode(some)))

    async def remove(self, order: ForgetRequested, gone: Gone, also: Sequence[str]) -> int:
        removed = 0
        for stream in (OUTCOMES, MEMORIES, RESEARCH, DEAD):
            for subject in stream.subjects or ():
                async for page in replay(self._bus, str(stream.name), subject):
                    found = [one for one in page if _is_of(one, order, gone, also)]
                    removed += await self._delete(str(stream.name), found)
        for turn_id in await self._live_turns() & {*gone.turn_ids, *also}:
            async for page in replay(self._bus, str(LIVE.name), live_subject(turn_id)):
                removed += await self._delete(str(LIVE.name), page)
        return removed

    async def remove_keys(self, order: ForgetRequested) -> int:
        return await self._recipes.forget(order)

    async def _live_turns(self) -> set[str]:
        prefix = live_subject("")
        info = await _answered(self._bus.jetstream.stream_info(str(LIVE.name), subjects_filter=f"{prefix}*"))
        return {subject.removeprefix(prefix) for subject in info.state.subjects or {}}

    async def _delete(self, stream: str, stored: Sequence[Stored]) -> int:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def delete(one: Stored) -> None:
            async with gate:
                await _erased(self._bus.jetstream.delete_msg(stream, one.sequence))

        await asyncio.gather(*map(delete, stored))
        return len(stored)

    # --- what the streams dropped before ---

    async def erase(self) -> None:
        for stream in (OUTCOMES, MEMORIES, RESEARCH, LIVE):
            subject = f"{PADDING}.{str(stream.name).lower()}"
            await self._pad(subject, _BLOCK_BYTES)
            await _answered(self._bus.jetstream.purge_stream(str(stream.name), subject=subject))
        for keys in self._buckets:
            first_new = await self._pad(keys.subject_of(PADDING), _KEYS_BLOCK_BYTES)
            await self._write_again(keys, first_new)
            await keys.purge(f"{PADDING}.*")

    async def _pad(self, subject: str, least_bytes: int) -> int:
        """Fills more than one block; the sequence of its last piece."""
        size = _REPLICA_BYTES if self._replicas > 1 else least_bytes
        sequence = 0
        for piece in range(size // _PIECE_BYTES + 2):
            # On keys of their own in a bucket, which would keep the last of one key alone.
            own = f"{subject}.{piece}" if subject.startswith("$KV.") else subject
            ack = await _answered(self._bus.jetstream.publish(own, os.urandom(_PIECE_BYTES)))
            sequence = int(ack.seq)
        return sequence

    async def _write_again(self, keys: Keys, before: int) -> None:
        """Every key that still lies in an old block, so that nothing keeps the block."""
        for key in await keys.names():
            if key.startswith(f"{PADDING}."):
                continue
            while (entry := await keys.get(key)) is not None:
                if entry.revision > before or await self._written(keys.subject_of(key), entry):
                    break

    async def _written(self, subject: str, entry: Entry) -> bool:
        headers = {
            name: value for name, value in entry.headers.items() if not name.startswith("Nats-Expected")
        }
        try:
            await publish_behind(
                self._bus, subject, entry.value, last_sequence=entry.revision, headers=headers
            )
        except Conflict:
            return False  # Its holder has just written it: look again.
        return True


def _is_of(stored: Stored, order: ForgetRequested, gone: Gone, also: Sequence[str]) -> bool:
    try:
        said = _mention.decode(stored.body)
    except UNREADABLE:
        return False
    if said.user != order.user:
        return False
    turn_id = said.turn_id or said.statement.turn_id or ""
    if turn_id in gone.turn_ids or turn_id in also or said.memory_id in gone.memory_ids:
        return True
    # What stands on no turn began when it was stored.
    began = said.requested_at or (said.statement.said_at if turn_id else None) or _stored_at(stored)
    match order.scope:
        case "turn" | "memory":
            return False
        case "session":
            session_id = said.session_id or said.statement.session_id
            return session_id == order.target and began <= order.requested_at
        case "user":
            return began <= order.requested_at


def _stored_at(stored: Stored) -> datetime:
    return msgspec.convert(stored.headers["Nats-Time-Stamp"], datetime)


async def _erased(call: Awaitable[bool]) -> None:
    try:
        await call
    except APIError as error:
        if error.err_code not in _NO_MESSAGE:
            raise Transient(f"NATS did not erase a message: {error.description}") from error
    except _AWAY as error:
        raise Transient(_NO_ANSWER) from error


async def _answered(call: Awaitable[R]) -> R:
    """What the server refuses is refused while it starts, or its stream has no leader: it is tried again."""
    try:
        return await call
    except _AWAY as error:
        raise Transient(_NO_ANSWER) from error
