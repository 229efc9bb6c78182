"""What every engine does, put to each of them; then what only the `openai` one can get wrong.

vLLM is asked where it is installed (`make test-vllm`), with a tiny random model.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from services.inference.adapters.extractive import ExtractiveEngine
from services.inference.adapters.openai import OpenAiEngine
from services.inference.adapters.vllm import VllmEngine
from services.inference.ports import Delta, Engine, Finished
from services.inference.settings import InferenceSettings
from shared.errors import Refused, Transient
from shared.replies import Generate, Message, Passage
from tests.contracts.engines_server import MODEL, ChatServer, chat_server
from tests.live.tiny_model import CONTEXT_TOKENS, build

TEXT = " ".join(f"My sister Mira keeps {number} bees." for number in range(1, 9))
_numbers = itertools.count()


@dataclass
class Case:
    """An engine, and how many generations it has under way."""

    engine: Engine
    busy: Callable[[], int]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def vllm_engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VllmEngine]:
    pytest.importorskip("vllm", reason="vLLM is not installed here; see make test-vllm")
    folder = tmp_path_factory.mktemp("tiny-model")
    build(folder)
    settings = InferenceSettings.model_validate(
        {
            "inference_engine": "vllm",
            "model": str(folder),
            "vllm_enforce_eager": True,
            "vllm_gpu_memory_utilization": 0.2,
        }
    )
    engine = VllmEngine(settings)
    with pytest.raises(Transient, match="loading"):
        await engine.check()
    deaths: list[None] = []
    async with engine.loaded(when_dead=lambda: deaths.append(None)):
        yield engine
    assert not deaths


@pytest.fixture
def extractive_case() -> Case:
    return Case(ExtractiveEngine(), lambda: 0)


@pytest.fixture
async def openai_case() -> AsyncIterator[Case]:
    async with chat_server() as server, OpenAiEngine.connected(settings_for(server)) as engine:
        server.word_seconds = 0.005
        yield Case(engine, lambda: server.running)


@pytest.fixture
def vllm_case(vllm_engine: VllmEngine) -> Case:
    return Case(vllm_engine, lambda: int(vllm_engine._llm.get_num_unfinished_requests()))


@pytest.fixture(
    params=["extractive", "openai", pytest.param("vllm", marks=pytest.mark.filterwarnings("default"))]
)
def case(request: pytest.FixtureRequest) -> Case:
    engine_case: Case = request.getfixturevalue(f"{request.param}_case")
    return engine_case


def settings_for(server: ChatServer, **more: Any) -> InferenceSettings:
    return InferenceSettings.model_validate(
        {"inference_engine": "openai", "openai_base_url": server.url, **more}
    )


def ask(text: str = TEXT, **more: Any) -> Generate:
    passage = Passage(
        turn_id="a", turn_number=1, score=1.0, similarity=0.9, input=text, output="Noted.", quoted=True
    )
    return Generate(
        request_id=f"r{next(_numbers)}",
        messages=[Message("user", text)],
        passages=[passage],
        question="How many bees does Mira keep?",
        stream_to="turn.stream.t",
        **more,
    )


async def parts_of(engine: Engine, request: Generate) -> tuple[list[Delta], Finished]:
    async with aclosing(engine.generate(request)) as stream:
        parts = [part async for part in stream]
    deltas = [part for part in parts if isinstance(part, Delta)]
    [finished] = [part for part in parts if isinstance(part, Finished)]
    assert parts[-1] is finished
    return deltas, finished


async def becomes_idle(case: Case) -> None:
    async with asyncio.timeout(5):
        while case.busy():  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.01)


async def test_it_yields_deltas_and_then_one_finished(case: Case) -> None:
    deltas, finished = await parts_of(case.engine, ask(max_tokens=20))

    assert len(deltas) > 1
    assert "".join(delta.text for delta in deltas)
    assert finished.model == (await case.engine.models())[0]


async def test_it_counts_tokens(case: Case) -> None:
    deltas, finished = await parts_of(case.engine, ask())

    assert finished.usage.output_tokens == sum(delta.tokens for delta in deltas) > 0
    assert finished.usage.input_tokens > 0


async def test_it_stops_at_max_tokens_and_says_so(case: Case) -> None:
    _, finished = await parts_of(case.engine, ask(max_tokens=3))

    assert finished.usage.output_tokens == 3
    assert finished.reason == "length"


async def test_closing_early_ends_the_generation(case: Case) -> None:
    stream = case.engine.generate(ask(" ".join([TEXT] * 4), max_tokens=200))
    assert isinstance(await anext(stream), Delta)

    await stream.aclose()

    await becomes_idle(case)


async def test_cancelling_the_reader_ends_the_generation(case: Case) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(case.engine.generate(ask(" ".join([TEXT] * 4), max_tokens=200))) as stream:
            async for _ in stream:
                begun.set()
                await asyncio.sleep(0.02)

    reader = asyncio.create_task(read())
    await begun.wait()
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    await becomes_idle(case)


async def test_an_unknown_model_is_refused(case: Case) -> None:
    with pytest.raises(Refused, match="no-such-model") as refusal:
        await parts_of(case.engine, ask(model="no-such-model"))

    assert refusal.value.status == 404


async def test_it_answers_to_each_of_its_models(case: Case) -> None:
    for model in await case.engine.models():
        _, finished = await parts_of(case.engine, ask(model=model, max_tokens=2))
        assert finished.model == model


async def test_many_at_once_get_whole_answers(case: Case) -> None:
    answers = await asyncio.gather(*(parts_of(case.engine, ask(max_tokens=12)) for _ in range(16)))

    for deltas, finished in answers:
        assert sum(delta.tokens for delta in deltas) == finished.usage.output_tokens > 0
    await becomes_idle(case)


async def test_it_is_ready_and_knows_its_room(case: Case) -> None:
    await case.engine.check()

    assert case.engine.context_tokens >= CONTEXT_TOKENS
    assert case.engine.waiting == 0


# --- vllm --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("default")
async def test_vllm_refuses_a_prompt_that_leaves_no_room(vllm_engine: VllmEngine) -> None:
    with pytest.raises(Refused, match=str(CONTEXT_TOKENS)) as refusal:
        await parts_of(vllm_engine, ask("bees and honey " * CONTEXT_TOKENS))

    assert refusal.value.status == 422


@pytest.mark.filterwarnings("default")
async def test_vllm_keeps_to_the_defaults_of_the_model(vllm_engine: VllmEngine) -> None:
    # The tiny model's generation_config has max_new_tokens=64.
    _, finished = await parts_of(vllm_engine, ask("Hello", temperature=0.0))

    assert finished.usage.output_tokens <= 64


# --- openai ------------------------------------------------------------------------------------------------


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as server:
        yield server


async def test_openai_streams_the_very_text(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, finished = await parts_of(engine, ask(temperature=0.2))

    assert "".join(delta.text for delta in deltas) == TEXT
    assert finished.reason == "stop"
    assert server.bodies[0]["temperature"] == 0.2
    assert server.bodies[0]["model"] == MODEL
    assert "max_tokens" not in server.bodies[0]


@pytest.mark.parametrize("failure", [500, 503, 429, "drop", "error in stream"])
async def test_openai_tries_again_before_the_first_token(server: ChatServer, failure: int | str) -> None:
    server.script = [failure]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, _ = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == TEXT
    assert len(server.bodies) == 2


async def test_openai_gives_up_after_its_retries(server: ChatServer) -> None:
    server.script = [500] * 9
    async with OpenAiEngine.connected(settings_for(server, openai_retries=1)) as engine:
        with pytest.raises(Transient, match="scripted 500"):
            await parts_of(engine, ask())

    assert len(server.bodies) == 2


async def test_openai_hands_a_refusal_on(server: ChatServer) -> None:
    server.script = [400]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        with pytest.raises(Refused, match="scripted 400") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 400
    assert len(server.bodies) == 1


async def test_openai_does_not_blame_the_asker_for_its_own_key(server: ChatServer) -> None:
    server.script = [401]
    async with OpenAiEngine.connected(settings_for(server, openai_api_key="secret")) as engine:
        with pytest.raises(Refused, match="OPENAI_API_KEY") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 502
    assert server.headers[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(("step", "status"), [("drop mid-stream", 502), ("silence mid-stream", 504)])
async def test_openai_never_starts_over_after_the_first_token(
    server: ChatServer, step: str, status: int
) -> None:
    server.script = [step]
    async with OpenAiEngine.connected(settings_for(server, openai_token_timeout_seconds=0.2)) as engine:
        stream = engine.generate(ask())
        seen = [await anext(stream), await anext(stream)]
        with pytest.raises(Refused, match="after 2 tokens") as refusal:
            await anext(stream)

    assert refusal.value.status == status
    assert all(isinstance(part, Delta) for part in seen)
    assert len(server.bodies) == 1


async def test_openai_waits_so_long_for_a_first_token(server: ChatServer) -> None:
    server.script = ["silence"]
    async with OpenAiEngine.connected(settings_for(server, openai_first_token_timeout_seconds=0.2)) as engine:
        with pytest.raises(Transient, match="no first token"):
            await parts_of(engine, ask())

    assert len(server.bodies) == 1


async def test_openai_counts_chunks_where_the_server_does_not_count(server: ChatServer) -> None:
    server.counts_tokens = False
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, finished = await parts_of(engine, ask())

    assert finished.usage.output_tokens == len(deltas) == len(TEXT.split())


async def test_openai_is_not_ready_while_its_server_is_away(server: ChatServer) -> None:
    server.url = "http://127.0.0.1:9/v1"
    async with OpenAiEngine.connected(settings_for(server, openai_retries=0)) as engine:
        with pytest.raises(Transient, match="not reachable"):
            await engine.check()
        with pytest.raises(Transient, match="not reachable"):
            await parts_of(engine, ask())


async def test_openai_learns_the_context_length_and_keeps_the_default_first(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server, model="parrot-2")) as engine:
        assert await engine.models() == ["parrot-2", MODEL]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        assert await engine.models() == [MODEL, "parrot-2"]
        assert engine.context_tokens == 4096


async def test_openai_uses_a_connection_again(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        for _ in range(3):
            await parts_of(engine, ask())
        connector: Any = engine._http.connector

        assert sum(len(free) for free in connector._conns.values()) == 1
