"""Whole turns over the whole stack, with a model that answers at once: what all but the embedding costs.

Throughput: saved and indexed turns/s, against the embedding model alone on the same texts (a question and a
saved text for each turn). Latency: from the request to the first token, less the embedding of the question.
"""

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count, islice
from statistics import median
from time import perf_counter

from bench.engines.instant import short_reply
from bench.index.embedder import EmbedderAlone
from bench.index.indexed import Indexed
from bench.running.figures import Figure, percentile, plain, ratio
from bench.running.load import Answer, Client, load
from bench.running.parts import server
from bench.running.run import Run
from bench.running.sentences import sentences
from tests.servers.ports import free_ports

MARKER = b"output.delta"
CONCURRENT = 16
_ID = re.compile(rb'"turn_id":"([^"]+)"')


async def measure(run: Run) -> list[Figure]:
    rounds, turns, asked = (1, 48, 8) if run.quick else (3, 192, 25)
    (model_port,) = free_ports(1)
    installation = run.installation(
        INFERENCE_ENGINE="openai", OPENAI_BASE_URL=f"http://127.0.0.1:{model_port}/v1"
    )
    said = sentences(seed=3)
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(EmbedderAlone.started())
        await stack.enter_async_context(server("bench.engines.instant_server", model_port, "sentence"))
        services = ("orchestrator", "inference", "gateway")
        await stack.enter_async_context(installation.running("nats", ("postgres",), ("indexer", *services)))
        indexed = await stack.enter_async_context(Indexed.followed(await installation.bus()))
        bench = _Bench(installation.gateway_port, alone, indexed, said)
        await bench.whole_turns(2 * CONCURRENT)
        before = installation.processor_seconds()
        pairs = [await bench.compared(turns) for _ in range(rounds)]
        after = installation.processor_seconds()
        first = [await bench.first_token() for _ in range(asked * rounds)]
    return [
        ratio(
            "turns.indexed_to_embedder",
            [ours for ours, _ in pairs],
            [embedder for _, embedder in pairs],
            "turns/s",
            goal=0.6,
            collapsed=alone.collapsed,
        ),
        plain(
            "turns.added_first_token",
            1000 * median(whole - embedding for whole, embedding in first),
            "ms",
            goal=10.0,
            ours=f"{1000 * median(whole for whole, _ in first):.3g} ms",
            against=f"{1000 * median(embedding for _, embedding in first):.3g} ms",
        ),
        *_processor_time(before, after, turns * rounds),
        plain("turns.first_token_p95", 1000 * percentile([whole for whole, _ in first], 0.95), "ms"),
    ]


def _processor_time(before: dict[str, float], after: dict[str, float], turns: int) -> list[Figure]:
    """Milliseconds that a saved and indexed turn takes of the processors, in all parts and in each."""
    each = {part: 1000 * (after[part] - before[part]) / turns for part in after}
    return [
        plain("turns.processor", sum(each.values()), "ms"),
        *(plain(f"turns.processor_{part}", spent, "ms") for part, spent in each.items()),
    ]


class _Bench:
    """The stack and what it is held against, in turn."""

    def __init__(self, port: int, alone: EmbedderAlone, indexed: Indexed, said: Iterator[str]) -> None:
        self._port, self._alone, self._indexed, self._said = port, alone, indexed, said
        self._sessions = count()

    async def compared(self, turns: int) -> tuple[float, float]:
        """(turns/s of the stack, turns/s of the embedder alone on other texts of the same kind)."""
        texts = []
        for said in islice(self._said, turns):
            texts += [said, f"{said}\n{''.join(short_reply(said))}"]
        embedding = await self._alone.seconds(texts)
        return turns / await self.whole_turns(turns), turns / embedding

    async def whole_turns(self, turns: int) -> float:
        """Seconds until all of them are answered, saved and indexed."""
        start = perf_counter()
        done = await load(
            self._port,
            "/v1/turns",
            ({"input": said, "session_id": f"bench-{next(self._sessions)}"} for said in self._said),
            requests=turns,
            concurrent=CONCURRENT,
            marker=MARKER,
        )
        await self._indexed.wait_for(saved_id(answer) for answer in done.answers)
        return perf_counter() - start

    async def first_token(self) -> tuple[float, float]:
        """(seconds to the first token of a turn alone on the machine, seconds to embed such a question)."""
        question = next(self._said)
        embedding = await self._alone.seconds([question])
        client = await Client.connected(self._port, MARKER)
        try:
            answer = await client.post(
                "/v1/turns", {"input": question, "session_id": f"bench-{next(self._sessions)}"}
            )
        finally:
            client.close()
        # The indexer embeds the saved turn now; the next question must not wait for it.
        await self._indexed.wait_for([saved_id(answer)])
        return answer.first_seconds, embedding


def saved_id(answer: Answer) -> str:
    """Raises RuntimeError where the turn was not saved."""
    if b"event: turn.saved" not in answer.body or (found := _ID.search(answer.body)) is None:
        raise RuntimeError(answer.body[-500:].decode(errors="replace"))
    return found.group(1).decode()
