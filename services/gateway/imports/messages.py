"""Imports messages: reads a body as it comes, has its good lines stored, and counts what was done."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec
from litestar.exceptions import InternalServerException

from services.gateway.asking.ports import Ask
from services.gateway.imports.lines import BadLine, LineCutter, LineReader, Said, plan_requests
from shared.contract.errors import Refused, Transient
from shared.contract.requests import ImportMessages, ImportReply

_MOST_BAD: Final = 1000
_ROUND_LINES = 2048
_ROUND_BYTES = 8 * 1024 * 1024
"""What is kept of a body at a time. The sender waits meanwhile."""
_AT_ONCE = 2
"""Users at a time. One is enough to keep the embedder busy."""


class BadLineView(msgspec.Struct, kw_only=True, frozen=True):
    line: int
    """Its number in the body, from 1."""
    reason: str


class Imported(msgspec.Struct, kw_only=True, frozen=True):
    """The outcome of an import. Each good line is stored, and search finds it."""

    lines: int
    """That are not blank: the new, the changed, the known and the bad ones."""
    new: int
    changed: int
    """Known by their id, and now with another text."""
    known: int
    bad: list[BadLineView]
    """The first 1,000."""
    bad_lines: int


class _Tally:
    """How far an import is."""

    def __init__(self) -> None:
        self.lines = 0
        self.bad: list[BadLineView] = []
        self.bad_lines = 0
        self.stored = ImportReply(new=0, changed=0, known=0)
        self.failed = False

    def add_bad(self, number: int, reason: str) -> None:
        self.bad_lines += 1
        if len(self.bad) < _MOST_BAD:
            self.bad.append(BadLineView(line=number, reason=reason))

    def add(self, reply: ImportReply) -> None:
        done = self.stored
        self.stored = ImportReply(
            new=done.new + reply.new, changed=done.changed + reply.changed, known=done.known + reply.known
        )

    @property
    def count(self) -> int:
        return self.stored.new + self.stored.changed + self.stored.known

    def result(self) -> Imported:
        return Imported(
            lines=self.lines, bad=self.bad, bad_lines=self.bad_lines, **msgspec.structs.asdict(self.stored)
        )


class MessageImport:
    def __init__(self, ask: Ask, *, limit_bytes: int, timeout_seconds: float) -> None:
        self._ask = ask
        self._limit = limit_bytes
        self._timeout = timeout_seconds

    async def take(self, body: AsyncIterator[bytes], reader: LineReader, announced: int | None) -> Imported:
        """Returns when every good line is stored.

        Raises Refused: 400 where the body breaks off, 413 where it is too large, 503 where the rest has to
        be sent again.
        """
        if announced is not None and announced > self._limit:
            raise Refused(413, f"{self._too_large(announced)}. Nothing is stored; send it in parts")
        tally = _Tally()
        waiting: list[Said] = []
        async for lines in self._lines(body, tally):
            waiting += _good(lines, reader, tally)
            if len(waiting) >= _ROUND_LINES or sum(one.size for one in waiting) >= _ROUND_BYTES:
                await self._store(waiting, tally)
                waiting = []
        await self._store(waiting, tally)
        return tally.result()

    async def _lines(
        self, body: AsyncIterator[bytes], tally: _Tally
    ) -> AsyncIterator[Iterable[tuple[int, bytes]]]:
        cutter, size = LineCutter(), 0
        try:
            async for chunk in body:
                size += len(chunk)
                if size > self._limit:
                    raise Refused(413, f"{self._too_large(size)}. {_so_far(tally)}; send it in parts")
                yield cutter.feed(chunk)
        except InternalServerException as error:  # Litestar's error where the sender leaves.
            raise Refused(400, f"the body broke off. {_so_far(tally)}; send all of it again") from error
        yield cutter.end()

    def _too_large(self, size: int) -> str:
        return f"the body has {size} bytes or more; at most {self._limit} are taken (IMPORT_LIMIT_BYTES)"

    async def _store(self, said: list[Said], tally: _Tally) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        sent = [self._send(requests, gate, tally) for requests in plan_requests(said)]
        for failure in await asyncio.gather(*sent, return_exceptions=True):
            match failure:
                case Transient():
                    raise Refused(
                        503,
                        f"{failure}. {_so_far(tally)}; send the same again in a moment: it goes on "
                        "from there and stores nothing twice",
                    ) from failure
                case Refused():
                    detail = f"{failure.detail}. {_so_far(tally)}"
                    raise Refused(failure.status, detail, failure.field) from failure
                case BaseException():
                    raise failure

    async def _send(self, requests: list[ImportMessages], gate: asyncio.Semaphore, tally: _Tally) -> None:
        """Sends one user's requests. Stops at the first failure, also one of another user's."""
        for request in requests:
            async with gate:
                if tally.failed:
                    return
                try:
                    tally.add(await self._ask(request, self._timeout))
                except BaseException:
                    tally.failed = True
                    raise


def _good(lines: Iterable[tuple[int, bytes]], reader: LineReader, tally: _Tally) -> list[Said]:
    found = []
    for number, line in lines:
        tally.lines += 1
        try:
            found.append(reader.read(line))
        except BadLine as bad:
            tally.add_bad(number, str(bad))
    return found


def _so_far(tally: _Tally) -> str:
    return f"{tally.count} of the first {tally.lines} lines are stored"
