"""An export: everything that is stored of a user, asked for page by page and packed as it comes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from tenacity import stop_after_attempt, wait_exponential

from services.gateway.asking.ports import Ask
from services.gateway.exports.documents import TurnDocuments, turns_of
from services.gateway.exports.lists import Counts, Lists
from services.gateway.exports.zip import Zip
from services.gateway.files.names import ENDINGS
from services.gateway.files.transfer import whole_file
from shared.contract.events import encode, encode_lines
from shared.contract.requests import DocumentPiece, FileInfo, Request
from shared.process.retrying import Retry
from shared.process.version import VERSION

R = TypeVar("R")
FORMAT: Final = 1
_RETRY = Retry(wait=wait_exponential(multiplier=0.5, max=8.0), stop=stop_after_attempt(6))
"""A service that restarts is back after some seconds. An export that breaks off has to begin anew."""


class Manifest(msgspec.Struct, kw_only=True):
    """The last file of an export. Where it is missing, the export broke off."""

    format: int = FORMAT
    version: str = VERSION
    user: str
    made_at: datetime
    counts: Counts


class Export:
    """The export of one user. `parts` may be read once."""

    def __init__(self, ask: Ask, user: str, now: datetime) -> None:
        self._ask = ask
        self._user = user
        self._now = now
        self._lists = Lists(self._patiently, user)
        self._counts = self._lists.counts
        self._zip = Zip(now)

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Yields the bytes of the zip. Raises Refused and Transient, the first time before it yields any."""
        # The orchestrator is asked first: once a byte is sent, nothing can be refused any more.
        turns = await turns_of(self._ask, self._user)
        for name, pages in self._lists.all():
            self._zip.begin(f"{name}.ndjson", may_be_huge=True)
            async for page in pages:
                yield await self._pack(encode_lines(page))
        for info in self._lists.files:
            yield await self._pack_file(info)
        async with aclosing(TurnDocuments(self._patiently, self._user, turns, self._counts).read()) as found:
            async for documents in found:
                yield await asyncio.to_thread(self._pack_documents, documents)
        self._zip.begin("manifest.json")
        manifest = Manifest(user=self._user, made_at=self._now, counts=self._counts)
        yield await self._pack(msgspec.json.format(encode(manifest), indent=2) + b"\n")
        yield await asyncio.to_thread(self._zip.close)

    async def _patiently(self, request: Request[R], timeout_seconds: float | None = None, /) -> R:
        return await _RETRY(self._ask, request, timeout_seconds)

    async def _pack(self, data: bytes) -> bytes:
        return await asyncio.to_thread(self._zip.write, data)

    async def _pack_file(self, info: FileInfo) -> bytes:
        """Returns nothing for a file that was deleted since it was listed."""
        data = await whole_file(self._patiently, self._user, info.file_id)
        if data is None:
            return b""
        self._zip.begin(f"files/{info.file_id}.{ENDINGS[info.media_type]}")
        self._counts.files += 1
        return await self._pack(data)

    def _pack_documents(self, documents: list[tuple[str, DocumentPiece]]) -> bytes:
        packed = []
        for folder, piece in documents:
            if piece.offset == 0:
                self._zip.begin(f"{folder}/{piece.name}")
                self._counts.documents += 1
            packed.append(self._zip.write(piece.text.encode()))
        return b"".join(packed)
