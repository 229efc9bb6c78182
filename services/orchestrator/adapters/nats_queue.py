"""The queue of turns and the sessions' leases in JetStream, and which orchestrators are alive."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import msgspec
from nats.aio.msg import Msg

from services.orchestrator.domain.queue import Claim, Lease, SessionKey, Waiting
from services.orchestrator.domain.turn import Turn
from services.orchestrator.ports import Held, LeaseLost
from shared.bus import Bus
from shared.errors import Poison, Transient
from shared.events import TurnCancelled, TurnFailed, TurnRequested, decode
from shared.keys import Conflict, Entry, Keys, key_from, parts_of
from shared.streams import PADDING, SESSIONS, TURNS
from shared.tail import Tail

log = logging.getLogger(__name__)
_LEASE = "Pandora-Lease"
"""In a header, so that the other orchestrators learn of a lease without its turn."""
_FREE_SECONDS = 600
"""How long a free session's last turns are remembered: far longer than the index is behind."""
_PAUSE_SECONDS = 0.5
_lease = msgspec.json.Decoder(Lease)
_turn = msgspec.json.Decoder(Turn)


class BusLeases:
    """Leases in the key-value bucket `sessions`: the header says who holds it, the value is the turn."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Keys(bus, SESSIONS)

    async def claim(self, claim: Claim, lease: Lease) -> Held | None:
        try:
            revision = await self._put(claim.session, lease, claim.revision, await self._kept(claim))
        except Conflict:
            return None
        return Held(session=claim.session, lease=lease, revision=revision)

    async def _kept(self, claim: Claim) -> bytes:
        """A takeover must not lose what was saved before its own first save."""
        if not claim.is_takeover:
            return b""
        entry = await self._keys.get(key_from(*claim.session))
        return b"" if entry is None else entry.value

    async def save(self, held: Held, lease: Lease, turn: Turn | None) -> Held:
        value = b"" if turn is None else msgspec.json.encode(turn)
        while True:
            try:
                revision = await self._put(held.session, lease, held.revision, value)
            except Transient as error:
                log.info("turn %d waits to be saved: %s", lease.turn_number, error)
                await asyncio.sleep(_PAUSE_SECONDS)
            except Conflict as error:
                held = await self._still_ours(held, error)
            else:
                return Held(session=held.session, lease=lease, revision=revision)

    async def _still_ours(self, held: Held, conflict: Conflict) -> Held:
        """A write whose answer was lost is there all the same: then the lease is at that revision."""
        try:
            current = await self.look(held.session)
        except Transient:
            await asyncio.sleep(_PAUSE_SECONDS)
            return held
        if current is None or current[0].holder != held.lease.holder:
            raise LeaseLost(f"turn {held.lease.turn_number} is run by another process") from conflict
        return Held(session=held.session, lease=held.lease, revision=current[1])

    async def look(self, session: SessionKey) -> tuple[Lease, int] | None:
        entry = await self._keys.get(key_from(*session))
        return None if entry is None else (lease_of(entry.headers), entry.revision)

    async def turn_of(self, session: SessionKey) -> Turn | None:
        entry: Entry | None = await self._keys.get(key_from(*session))
        return _turn.decode(entry.value) if entry and entry.value else None

    async def _put(self, session: SessionKey, lease: Lease, revision: int, value: bytes) -> int:
        return await self._keys.put(
            key_from(*session),
            value,
            revision=revision,
            headers={_LEASE: msgspec.json.encode(lease).decode()},
            ttl_seconds=_FREE_SECONDS if lease.state == "free" else None,
        )


def lease_of(headers: dict[str, str]) -> Lease:
    return _lease.decode(headers[_LEASE])


def leases_tail(
    bus: Bus,
    see: Callable[[SessionKey, Lease, int], None],
    lost: Callable[[], None],
    missing: Callable[[], Awaitable[None]],
) -> Tail:
    """Calls `see` with each lease that anybody writes."""
    keys = Keys(bus, SESSIONS)

    def take(message: Msg) -> None:
        if keys.key_of(message.subject).startswith(f"{PADDING}."):
            return
        try:
            user, session_id = parts_of(keys.key_of(message.subject))
            lease = lease_of(message.headers or {})
        except (KeyError, ValueError) as error:
            log.warning("%s is no lease: %r", message.subject, error)
            return
        see((user, session_id), lease, message.metadata.sequence.stream)

    return Tail(bus, keys.stream, take=take, lost=lost, missing=missing, headers_only=True)


def turns_tail(
    bus: Bus,
    see: Callable[[Waiting], None],
    unreadable: Callable[[Msg, Poison], None],
    missing: Callable[[], Awaitable[None]],
) -> Tail:
    """Calls `see` with each turn that is accepted, in the order of their numbers."""
    loop = asyncio.get_running_loop()

    def take(message: Msg) -> None:
        try:
            request = decode(TurnRequested, message.data)
        except Poison as poison:
            unreadable(message, poison)
            return
        metadata = message.metadata
        see(
            Waiting(
                number=metadata.sequence.stream,
                request=request,
                requested_at=metadata.timestamp,
                seen_at=loop.time(),
                is_backlog=not tail.caught_up.is_set(),
            )
        )

    # What a lost store held is still known here, and is run all the same.
    tail = Tail(bus, str(TURNS.name), take=take, lost=lambda: None, missing=missing)
    return tail


async def hear_ends(bus: Bus, see_end: Callable[[int], None]) -> None:
    """Calls `see_end` with the number of each turn that ended without a lease, wherever that was."""

    async def take(message: Msg) -> None:
        with contextlib.suppress(Poison):
            see_end(decode(_Numbered, message.data).turn_number)

    for kind in (TurnCancelled, TurnFailed):
        await bus.connection.subscribe(kind.subject, cb=take)


class _Numbered(msgspec.Struct):
    turn_number: int


class Peers:
    """Which orchestrators are alive, by what each says every second on `orchestrator.alive`.

    Time is counted in this process's own words as they come back over the bus: while NATS is away, or this
    process itself was paused, nobody grows older.
    """

    SUBJECT = "orchestrator.alive"
    BEATS_UNTIL_DEAD = 5

    def __init__(self, bus: Bus, own: str, *, every_seconds: float = 1.0) -> None:
        self._bus = bus
        self._own = own
        self._every = every_seconds
        self._beats = 0
        self._heard: dict[str, int] = {}

    async def run(self) -> None:
        await self._bus.connection.subscribe(self.SUBJECT, cb=self._hear)
        while True:
            if self._bus.connection.is_connected:
                await self._bus.connection.publish(self.SUBJECT, self._own.encode())
            await asyncio.sleep(self._every)

    async def _hear(self, message: Msg) -> None:
        name = message.data.decode(errors="replace")
        if name == self._own:
            self._beats += 1
        self._heard[name] = self._beats

    def dead_among(self, holders: set[str]) -> set[str]:
        """Those that were not heard for five beats since they were first asked for."""
        for holder in holders:
            self._heard.setdefault(holder, self._beats)
        return {holder for holder in holders if self._is_silent(holder)}

    def _is_silent(self, name: str) -> bool:
        return name != self._own and self._beats - self._heard[name] >= self.BEATS_UNTIL_DEAD

    @property
    def alive(self) -> set[str]:
        return {name for name in self._heard if not self._is_silent(name)} | {self._own}

    @property
    def is_first(self) -> bool:
        """One of those that are alive does what needs doing once; two at a moment do no harm."""
        return self._own == min(self.alive)
