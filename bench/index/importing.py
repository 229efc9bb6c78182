"""How fast imported messages become searchable, over HTTP, against the model alone on the same texts."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import perf_counter

import aiohttp
import msgspec

from bench.index.embedder import EmbedderAlone
from bench.running.figures import Figure, ratio
from bench.running.run import Run
from bench.running.sentences import sentences
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.contract.events import LOCAL_USER

GOAL = 0.9
_SESSION_MESSAGES = 40
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


async def measure(run: Run) -> list[Figure]:
    rounds, messages = (1, 512) if run.quick else (3, 1_500)
    installation = run.installation()
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(EmbedderAlone.started())
        await stack.enter_async_context(installation.running("nats", "postgres"))
        async with Bus.connect("orchestrator", installation.settings.local) as owner:
            await declare_streams(owner.jetstream, first_turn_number=1)
        await stack.enter_async_context(installation.running("indexer", "gateway"))
        url = f"http://127.0.0.1:{installation.gateway_port}/v1/imports"
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600)))
        said = sentences(seed=31)
        await _imported(http, url, list(islice(said, 64)), "warm")
        ours, embedder = [], []
        for number in range(rounds):
            texts = list(islice(said, messages))
            embedder.append(messages / await alone.seconds(texts))
            ours.append(messages / await _imported(http, url, texts, f"round-{number}"))
        return [
            ratio("importing.to_embedder", ours, embedder, "messages/s", goal=GOAL, collapsed=alone.collapsed)
        ]


async def _imported(http: aiohttp.ClientSession, url: str, texts: Sequence[str], name: str) -> float:
    """Seconds until search finds them all."""
    body = b"\n".join(_line(name, number, text) for number, text in enumerate(texts))
    start = perf_counter()
    async with http.post(url, data=body, headers={"content-type": "application/x-ndjson"}) as response:
        answer = await response.json()
    seconds = perf_counter() - start
    assert (response.status, answer["new"]) == (200, len(texts)), answer
    return seconds


def _line(name: str, number: int, text: str) -> bytes:
    return msgspec.json.encode(
        {
            "user": LOCAL_USER,
            "session_id": f"{name}-{number // _SESSION_MESSAGES}",
            "message_id": str(number),
            "speaker": "user" if number % 2 else "assistant",
            "text": text,
            "at": _BEGINNING + timedelta(minutes=number),
        }
    )
