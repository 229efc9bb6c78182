"""An export: everything that is held of a user, asked for page by page and packed as it comes."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from services.gateway.domain.names import ENDINGS
from services.gateway.domain.zipping import Zip
from services.gateway.gateway import Gateway
from services.gateway.held import Counts, Lists
from services.gateway.uploads import whole_file
from shared.bus import VERSION
from shared.errors import Refused, Transient
from shared.events import encode
from shared.replies import (
    DocumentPiece,
    ExportTurn,
    ExportTurnReply,
    FileInfo,
    HeldTurn,
    ListHeldTurns,
    Request,
)

R = TypeVar("R")
FORMAT: Final = 1
_TURNS_SECONDS = 120.0
"""To find out which turns are whose, all of them are looked at."""
_TURNS_AT_ONCE = 4
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


class Manifest(msgspec.Struct, kw_only=True):
    """The last file of an export: where it is missing, the export broke off."""

    format: int = FORMAT
    version: str = VERSION
    user: str
    made_at: datetime
    counts: Counts


class Export:
    """Of one user; `parts` may be asked for once."""

    def __init__(self, gateway: Gateway, user: str, now: datetime) -> None:
        self._gateway = gateway
        self._user = user
        self._now = now
        self._lists = Lists(self._patiently, user)
        self._counts = self._lists.counts
        self._zip = Zip(now)

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """The bytes of the zip. Raises Refused and Transient, the first time before there are any."""
        # Whoever has to answer answers first: once a byte is sent, nothing can be refused any more.
        held = await self._held_turns()
        for name, pages in self._lists.all():
            self._zip.begin(f"{name}.ndjson", may_be_huge=True)
            async for page in pages:
                yield await self._pack(_ndjson(page))
        for info in self._lists.files:
            yield await self._pack_file(info)
        async with aclosing(self._documents(held)) as found:
            async for documents in found:
                yield await asyncio.to_thread(self._pack_documents, documents)
        self._zip.begin("manifest.json")
        manifest = Manifest(user=self._user, made_at=self._now, counts=self._counts)
        yield await self._pack(msgspec.json.format(encode(manifest), indent=2) + b"\n")
        yield await asyncio.to_thread(self._zip.close)

    async def _pack(self, data: bytes) -> bytes:
        return await asyncio.to_thread(self._zip.write, data)

    async def _patiently(self, request: Request[R], timeout_seconds: float | None = None, /) -> R:
        """Who restarts is back in some seconds; an export that breaks off begins from nothing."""
        for pause in _PAUSES:
            try:
                return await self._gateway.ask(request, timeout_seconds)
            except Transient:
                await asyncio.sleep(pause)
        return await self._gateway.ask(request, timeout_seconds)

    async def _held_turns(self) -> list[HeldTurn]:
        held: list[HeldTurn] = []
        while True:
            after = held[-1].turn_number if held else 0
            reply = await self._gateway.ask(ListHeldTurns(user=self._user, after=after), _TURNS_SECONDS)
            held += reply.turns
            if not reply.more:
                return held

    async def _pack_file(self, info: FileInfo) -> bytes:
        """Nothing of a file that was deleted since it was listed."""
        data = await whole_file(self._patiently, self._user, info.file_id)
        if data is None:
            return b""
        self._zip.begin(f"files/{info.file_id}.{ENDINGS[info.media_type]}")
        self._counts.files += 1
        return await self._pack(data)

    # --- the turns' documents ---

    async def _documents(self, held: list[HeldTurn]) -> AsyncGenerator[list[tuple[str, DocumentPiece]], None]:
        """Pieces with their turns' folders, in order; the next turns are asked for meanwhile."""
        groups = [held[start : start + _TURNS_AT_ONCE] for start in range(0, len(held), _TURNS_AT_ONCE)]
        ahead = asyncio.create_task(self._first_pages(groups[0])) if groups else None
        try:
            for place, group in enumerate(groups, 1):
                replies = await ahead if ahead else []
                ahead = asyncio.create_task(self._first_pages(groups[place])) if place < len(groups) else None
                found: list[tuple[str, DocumentPiece]] = []
                for turn, first in zip(group, replies, strict=True):
                    folder, reply = f"turns/{turn.turn_number:06d}_{turn.turn_id}", first
                    self._counts.folders += reply is not None
                    while reply is not None and reply.pieces:
                        found += [(folder, piece) for piece in reply.pieces]
                        if not reply.more:
                            break
                        yield found
                        found = []
                        reply = await self._ask(_next(self._user, turn, reply))
                yield found
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _first_pages(self, turns: list[HeldTurn]) -> list[ExportTurnReply | None]:
        return list(await asyncio.gather(*(self._ask(_first(self._user, turn)) for turn in turns)))

    async def _ask(self, request: ExportTurn) -> ExportTurnReply | None:
        """None for a turn that was forgotten since."""
        try:
            return await self._patiently(request)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    def _pack_documents(self, documents: list[tuple[str, DocumentPiece]]) -> bytes:
        packed = []
        for folder, piece in documents:
            if piece.offset == 0:
                self._zip.begin(f"{folder}/{piece.name}")
                self._counts.documents += 1
            packed.append(self._zip.write(piece.text.encode()))
        return b"".join(packed)


def _first(user: str, turn: HeldTurn) -> ExportTurn:
    return ExportTurn(user=user, turn_id=turn.turn_id)


def _next(user: str, turn: HeldTurn, reply: ExportTurnReply) -> ExportTurn:
    last = reply.pieces[-1]
    return ExportTurn(
        user=user,
        turn_id=turn.turn_id,
        after_name=last.name,
        after_offset=last.offset + len(last.text),
    )


def _ndjson(page: Iterable[msgspec.Struct]) -> bytes:
    return b"".join(encode(one) + b"\n" for one in page)
