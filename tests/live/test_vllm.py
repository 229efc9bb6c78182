"""A whole inference worker with vLLM in it: loads, streams over NATS, aborts, refuses, stops.

Runs where vLLM is installed (`make test-vllm`), with a tiny random model on whatever device vLLM finds.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from shared.bus.connection import Bus
from shared.contract.errors import Refused
from shared.contract.events import OutputDelta, decode_live
from shared.contract.requests import Abort, CountTokens, Generate, Generated, Message, Models, StillGenerating
from tests.contracts.inference.engines_worker import WorkerProcess, worker_process
from tests.live.tiny_model import CONTEXT_TOKENS, build
from tests.servers.nats import bus_to

pytest.importorskip("vllm", reason="vLLM is not installed here; see make test-vllm")
_START_SECONDS = 300.0
VERDICT = {
    "title": "Verdict",
    "type": "object",
    "properties": {
        "decision": {"enum": ["approve", "revise", "fail"]},
        "reasons": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 2},
    },
    "required": ["decision", "reasons"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build(folder)
    return folder


@pytest.fixture(scope="module")
async def worker(nats_url: str, model: Path) -> AsyncIterator[WorkerProcess]:
    async with started(nats_url, model) as worker:
        yield worker


@asynccontextmanager
async def started(nats_url: str, model: Path) -> AsyncIterator[WorkerProcess]:
    async with worker_process(
        NATS_URL=nats_url,
        INFERENCE_ENGINE="vllm",
        MODEL=str(model),
        VLLM_ENFORCE_EAGER="true",
        VLLM_GPU_MEMORY_UTILIZATION="0.2",
        SIGN_OF_LIFE_SECONDS="0.1",
    ) as worker:
        said = await worker.wait_until("/readyz", 503, 60)
        assert "vLLM is loading" in said  # The port answers long before the model does.
        await worker.wait_until("/readyz", 200, _START_SECONDS)
        yield worker


@pytest.fixture
async def client(nats_url: str, worker: WorkerProcess) -> AsyncIterator[Bus]:
    async with bus_to(nats_url) as bus:
        yield bus


def ask(text: str = "Where does my sister Mira live?", max_tokens: int = 32, **more: Any) -> Generate:
    turn = uuid4().hex
    return Generate(
        request_id=turn,
        messages=more.pop("messages", [Message("system", "Answer."), Message("user", text)]),
        max_tokens=max_tokens,
        stream_to=f"turn.stream.{turn}",
        **more,
    )


async def answer_to(request: Generate, client: Bus) -> Generated:
    async for reply in client.ask_and_follow(request, StillGenerating, silence_seconds=10):
        if isinstance(reply, Generated):
            return reply
    raise AssertionError("no answer")


async def test_its_text_comes_over_the_bus(client: Bus) -> None:
    request = ask()
    stream = await client.connection.subscribe(str(request.stream_to))

    answer = await answer_to(request, client)

    deltas: list[OutputDelta] = []
    while len(deltas) < answer.next_index:
        delta = decode_live((await stream.next_msg(5)).data)
        assert isinstance(delta, OutputDelta)
        deltas.append(delta)
    assert "".join(delta.text for delta in deltas) == answer.text
    assert [delta.index for delta in deltas] == list(range(answer.next_index))
    assert answer.usage.input_tokens > 10
    assert 0 < answer.usage.output_tokens <= 32
    assert answer.finish_reason in {"stop", "length"}


async def test_an_abort_reaches_the_engine(client: Bus, worker: WorkerProcess) -> None:
    # A random model may end its answer early, so several are asked.
    requests = [ask(f"Count to {number}.", max_tokens=CONTEXT_TOKENS - 64) for number in range(64)]
    asked = [asyncio.create_task(answer_to(request, client)) for request in requests]
    await asyncio.sleep(0.3)

    for request in requests:
        await client.broadcast(Abort.subject, Abort(request_id=request.request_id))
    answers = await asyncio.gather(*asked)

    assert "abort" in {answer.finish_reason for answer in answers}
    models = await client.ask(Models())
    assert (models.engine, models.running, models.waiting) == ("vllm", 0, 0)
    assert models.context_tokens == CONTEXT_TOKENS


async def test_a_guided_answer_follows_its_schema_whatever_the_model_is(client: Bus) -> None:
    answers = await asyncio.gather(
        *(
            answer_to(ask(f"Judge {number}.", 256, schema=VERDICT, temperature=1.0), client)
            for number in range(8)
        )
    )

    for answer in answers:
        verdict = json.loads(answer.text)
        assert answer.finish_reason == "stop"
        assert answer.text.startswith('{"decision":"')  # No space that nobody needs.
        assert verdict.keys() == {"decision", "reasons"}
        assert verdict["decision"] in {"approve", "revise", "fail"}


async def test_an_abort_of_a_guided_answer_frees_the_engine(client: Bus) -> None:
    endless = {"type": "array", "items": {"type": "string"}, "minItems": 100}
    request = ask("List.", CONTEXT_TOKENS - 64, schema=endless)
    stream = await client.connection.subscribe(str(request.stream_to))
    asked = asyncio.create_task(answer_to(request, client))
    await stream.next_msg(10)

    await client.broadcast(Abort.subject, Abort(request_id=request.request_id))
    answer = await asked

    models = await client.ask(Models())
    assert answer.finish_reason == "abort"
    assert (models.running, models.waiting) == (0, 0)


async def test_the_second_of_two_like_prompts_is_cached(client: Bus) -> None:
    beginning = "My sister Mira keeps bees in Lisbon. " * 20
    first = await answer_to(ask(f"{beginning} One?", 4), client)
    second = await answer_to(ask(f"{beginning} Two?", 4), client)

    assert first.usage.cached_tokens < second.usage.cached_tokens < second.usage.input_tokens


async def test_tokens_are_counted_by_the_models_tokenizer(client: Bus) -> None:
    counted = await client.ask(CountTokens(texts=["My sister Mira keeps bees.", ""]))

    assert counted.exact
    assert counted.counts[0] > 4
    assert counted.counts[1] == 0


async def test_an_image_is_refused_by_a_model_that_cannot_see(client: Bus) -> None:
    picture = Message("user", "What is it?", ["data:image/png;base64,iVBORw0KGgo="])

    with pytest.raises(Refused, match="cannot see") as refusal:
        await answer_to(ask(messages=[picture]), client)

    assert refusal.value.status == 422


async def test_a_prompt_that_is_too_long_is_refused_with_the_limit(client: Bus) -> None:
    with pytest.raises(Refused, match=str(CONTEXT_TOKENS)) as refusal:
        await answer_to(ask("bees and honey " * CONTEXT_TOKENS), client)

    assert refusal.value.status == 422


async def test_many_at_once_all_end(client: Bus) -> None:
    answers = await asyncio.gather(*(answer_to(ask(f"Question {number}?"), client) for number in range(64)))

    assert all(0 < answer.usage.output_tokens <= 32 for answer in answers)


async def test_a_stop_leaves_no_process_behind(nats_url: str, model: Path) -> None:
    async with started(nats_url, model) as worker:
        family = psutil.Process(worker.process.pid).children(recursive=True)
        assert family

        assert await worker.stop(30) == 0

    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


async def test_a_worker_whose_engine_died_ends(worker: WorkerProcess) -> None:
    family = psutil.Process(worker.process.pid).children(recursive=True)
    for process in family:
        process.kill()

    assert await asyncio.wait_for(worker.process.wait(), 30) == 0
