"""Qdrant Edge's segments are written anew by another process, while this one goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import pytest

from services.indexer.passages.index import IndexQuery, Selection
from services.indexer.passages.passage import Passage, Vectors
from services.indexer.qdrant.edge import EdgePassageIndex
from tests.unit.samples import message

DIMENSION = 384
POINTS = 600
VECTORS: Vectors = numpy.random.default_rng(1).standard_normal((3 * POINTS, DIMENSION)).astype("f4")


def passages(begin: int, end: int) -> list[Passage]:
    texts = [(n, f"bees of Mira number{n}") for n in range(begin, end)]
    return [Passage(message=message(n, text), part=0, text=text) for n, text in texts]


async def write(index: EdgePassageIndex, begin: int, end: int) -> None:
    await index.upsert(passages(begin, end), VECTORS[begin:end], VECTORS[begin:end])


async def found(index: EdgePassageIndex, place: int) -> bool:
    """By the one word that only this one has."""
    query = IndexQuery(user="alice", vector=VECTORS[place], words=f"number{place}", limit=3)
    keys = {str(message(place, "").point_id)}
    return bool(keys & {one.key for one in await index.search(query) if one.words})


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[EdgePassageIndex]:
    async with EdgePassageIndex.open(tmp_path / "turns", DIMENSION, "turn") as opened:
        await write(opened, 0, POINTS)
        yield opened


async def test_what_is_written_and_removed_meanwhile_is_so_afterwards(
    index: EdgePassageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process waits for the file, so that there is a meanwhile on any machine."""
    waiting, go = tmp_path / "waiting", tmp_path / "go"
    waiting.write_text(f'#!/bin/sh\nuntil [ -e {go} ]; do sleep 0.02; done\nexec {sys.executable} "$@"\n')
    waiting.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(waiting))
    rewriting = asyncio.create_task(index.compact())
    while index._shard._since_copy is None:  # noqa: ASYNC110
        await asyncio.sleep(0)
    gone = [message(n, "").point_id for n in range(0, POINTS, 2)]
    await index.remove(Selection(user="alice", messages=gone))
    for begin in range(POINTS, 2 * POINTS, 100):
        await write(index, begin, begin + 100)
        assert await found(index, begin), "found at once"
    await index.set_uses({message(1, "").point_id: 7})
    assert not rewriting.done()
    go.touch()
    assert await rewriting

    assert await index.count() == POINTS // 2 + POINTS
    assert [await found(index, n) for n in (0, 1, POINTS, 2 * POINTS - 1)] == [False, True, True, True]
    await write(index, 2 * POINTS, 3 * POINTS)
    assert await index.count() == POINTS // 2 + 2 * POINTS


async def test_the_event_loop_goes_on_meanwhile(index: EdgePassageIndex) -> None:
    loop = asyncio.get_running_loop()
    rewriting = asyncio.create_task(index._shard.rewrite())
    longest, begun = 0.0, loop.time()
    last = begun
    while not rewriting.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, loop.time() - last), loop.time()

    assert await rewriting
    assert longest < (last - begun) / 2, "nearly all of it is done by the other process"


async def test_removed_words_are_in_no_file_afterwards(index: EdgePassageIndex, tmp_path: Path) -> None:
    secret = Passage(message=message(POINTS, "x", speaker="Xerxes4711"), part=0, text="x")
    await index.upsert([secret], VECTORS[:1], VECTORS[:1])
    await index.remove(Selection(user="alice", messages=[secret.message.point_id]))
    assert any(b"xerxes4711" in file.read_bytes() for file in files(tmp_path))

    assert await index.compact()

    assert not any(b"xerxes4711" in file.read_bytes() for file in files(tmp_path))
    assert await index.count() == POINTS


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_an_engine_that_fails_changes_nothing(
    index: EdgePassageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert not await index._shard.rewrite()

    assert await found(index, 1)
    await write(index, POINTS, 2 * POINTS)
    assert await index.count() == 2 * POINTS


@pytest.mark.parametrize("cut_off", ["copying", "between", "removing"])
async def test_a_rewriting_that_was_cut_off_loses_nothing(tmp_path: Path, cut_off: str) -> None:
    folder, copy, former = (tmp_path / name for name in ("turns", "turns.copy", "turns.former"))
    async with EdgePassageIndex.open(folder, DIMENSION, "turn") as index:
        await write(index, 0, POINTS)
    if cut_off == "copying":
        copy.mkdir()
        (copy / "half").write_text("")
    elif cut_off == "between":
        folder.rename(former)
        copy.mkdir()
    else:
        former.mkdir()

    async with EdgePassageIndex.open(folder, DIMENSION, "turn") as index:
        assert await index.count() == POINTS
        assert await found(index, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"turns", "turns.lock"}  # noqa: ASYNC240


async def test_a_cancel_while_the_index_is_closed_is_not_lost(tmp_path: Path) -> None:
    """A loop that closes a retired collection went on for ever, and the process with it."""

    async def use() -> None:
        async with EdgePassageIndex.open(tmp_path / "turns", 4, "turn"):
            asyncio.get_running_loop().call_soon(using.cancel)

    using = asyncio.create_task(use())

    with pytest.raises(asyncio.CancelledError):
        await using
