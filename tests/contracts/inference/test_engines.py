"""What every engine does, put to each of them; then what is vLLM's own.

vLLM is asked where it is installed (`make test-vllm`), with a tiny random model.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest
import pytest_asyncio

from services.inference.extractive.engine import ExtractiveEngine
from services.inference.openai.engine import OpenAiEngine
from services.inference.ports import Delta, Engine
from services.inference.scripted.engine import ScriptedEngine
from services.inference.vllm.engine import VllmEngine
from shared.contract.errors import Refused
from shared.contract.requests import Message, Tool, ToolCall
from tests.contracts.inference.engines_room import PIXEL, SCHEMA, TEXT, ask, parts_of, settings_for, vllm_with
from tests.contracts.inference.engines_server import chat_server
from tests.live.tiny_model import CONTEXT_TOKENS, build


@dataclass
class Case:
    """An engine, how many generations it has under way, and what it can."""

    engine: Engine
    busy: Callable[[], int]
    writes_json: bool = True
    sees: bool = True
    calls_tools: bool = True
    continues: bool = True


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def vllm_engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VllmEngine]:
    pytest.importorskip("vllm", reason="vLLM is not installed here; see make test-vllm")
    folder = tmp_path_factory.mktemp("tiny-model")
    build(folder)
    async with vllm_with(folder) as engine:
        yield engine


@pytest.fixture
def extractive_case() -> Case:
    return Case(
        ExtractiveEngine(), lambda: 0, writes_json=False, sees=False, calls_tools=False, continues=False
    )


@pytest.fixture
def scripted_case() -> Case:
    return Case(ScriptedEngine.of_file(None), lambda: 0)


@pytest.fixture
async def openai_case() -> AsyncIterator[Case]:
    async with chat_server() as server, OpenAiEngine.connected(settings_for(server)) as engine:
        server.word_seconds = 0.005
        server.answer = '{"decision": "approve", "reasons": []}'
        yield Case(engine, lambda: server.running)


@pytest.fixture
def vllm_case(vllm_engine: VllmEngine) -> Case:
    return Case(
        vllm_engine,
        lambda: int(vllm_engine._llm.get_num_unfinished_requests()),
        sees=False,
        calls_tools=False,
    )


@pytest.fixture(
    params=[
        "extractive",
        "scripted",
        "openai",
        pytest.param("vllm", marks=pytest.mark.filterwarnings("default")),
    ]
)
def case(request: pytest.FixtureRequest) -> Case:
    engine_case: Case = request.getfixturevalue(f"{request.param}_case")
    return engine_case


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


async def test_it_stops_before_a_text_that_ends_the_answer(case: Case) -> None:
    whole, _ = await parts_of(case.engine, ask(temperature=0.0, max_tokens=40))
    said = "".join(delta.text for delta in whole)
    stop = said[len(said) // 2 :][:3]

    deltas, finished = await parts_of(
        case.engine, ask(temperature=0.0, max_tokens=40, stop=["never said", stop])
    )

    assert "".join(delta.text for delta in deltas) == said.partition(stop)[0]
    assert finished.reason == "stop"


async def test_tools_are_taken_or_refused(case: Case) -> None:
    call = ToolCall(id="a", name="find", arguments="{}")
    called = [Message("user", TEXT), Message("assistant", "", tool_calls=[call])]
    answered = [*called, Message("tool", TEXT, tool_call_id="a")]
    offered = ask(tools=[Tool(name="find")], tool_choice="none", messages=answered)
    if case.calls_tools:
        deltas, finished = await parts_of(case.engine, offered)
        assert deltas
        assert finished.tool_calls == []
    else:
        for request, field in ((offered, "tools"), (ask(messages=answered), "messages")):
            with pytest.raises(Refused, match="INFERENCE_ENGINE") as refusal:
                await parts_of(case.engine, request)
            assert (refusal.value.status, refusal.value.field) == (422, field)


async def test_a_text_goes_on_or_is_refused(case: Case) -> None:
    request = ask(messages=[], prompt=TEXT, max_tokens=8)
    if case.continues:
        deltas, finished = await parts_of(case.engine, request)
        assert "".join(delta.text for delta in deltas)
        assert finished.reason in {"stop", "length"}
    else:
        with pytest.raises(Refused, match="INFERENCE_ENGINE") as refusal:
            await parts_of(case.engine, request)
        assert (refusal.value.status, refusal.value.field) == (422, "prompt")


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


async def test_an_answer_follows_its_schema_or_the_request_is_refused(case: Case) -> None:
    request = ask(role="MIND", schema=SCHEMA, max_tokens=200)
    if case.writes_json:
        deltas, _ = await parts_of(case.engine, request)
        verdict = json.loads("".join(delta.text for delta in deltas))
        assert verdict["decision"] in {"approve", "revise"}
    else:
        with pytest.raises(Refused, match="JSON") as refusal:
            await parts_of(case.engine, request)
        assert (refusal.value.status, refusal.value.field) == (422, "schema")


async def test_an_image_is_looked_at_or_refused(case: Case) -> None:
    request = ask(role="EYES", messages=[Message("user", "What is it?", [PIXEL])], max_tokens=20)
    if case.sees:
        deltas, _ = await parts_of(case.engine, request)
        assert deltas
    else:
        with pytest.raises(Refused, match="cannot see") as refusal:
            await parts_of(case.engine, request)
        assert (refusal.value.status, refusal.value.field) == (422, "messages")


async def test_it_counts_the_tokens_of_each_text(case: Case) -> None:
    counted = await case.engine.count_tokens(["bees", TEXT, ""], None)

    one, many, none = counted.counts
    assert none == 0 < one < many


async def test_the_tokens_of_an_unknown_model_are_refused(case: Case) -> None:
    with pytest.raises(Refused, match="no-such-model") as refusal:
        await case.engine.count_tokens(["bees"], "no-such-model")

    assert refusal.value.status == 404


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


@pytest.mark.filterwarnings("default")
async def test_vllm_says_what_it_had_in_its_cache_and_how_long_a_request_waited(
    vllm_engine: VllmEngine,
) -> None:
    long = " ".join([TEXT] * 2)
    _, first = await parts_of(vllm_engine, ask(long, max_tokens=2))
    _, second = await parts_of(vllm_engine, ask(long, max_tokens=2))

    assert 0 < second.usage.cached_tokens < second.usage.input_tokens == first.usage.input_tokens
    assert second.queue_seconds > 0


@pytest.mark.filterwarnings("default")
async def test_vllm_counts_exactly(vllm_engine: VllmEngine) -> None:
    counted = await vllm_engine.count_tokens([TEXT], None)
    _, finished = await parts_of(vllm_engine, ask(max_tokens=1))

    template_tokens = len(("<|user|>", "<|end|>", "<|assistant|>"))
    assert counted.exact
    assert counted.counts == [finished.usage.input_tokens - template_tokens]


@pytest.mark.filterwarnings("default")
async def test_vllm_refuses_a_schema_that_it_cannot_keep_to(vllm_engine: VllmEngine) -> None:
    with pytest.raises(Refused) as refusal:
        await parts_of(vllm_engine, ask(schema={"type": "no such type"}))

    assert (refusal.value.status, refusal.value.field) == (422, "schema")


@pytest.mark.filterwarnings("default")
async def test_vllm_tells_the_template_whether_to_think_and_leaves_the_thought_out(
    vllm_engine: VllmEngine,
) -> None:
    said = {}
    for thinking in (None, True, False):
        deltas, finished = await parts_of(vllm_engine, ask(thinking=thinking, max_tokens=20))
        said[thinking] = "".join(delta.text for delta in deltas)
        assert finished.usage.output_tokens == sum(delta.tokens for delta in deltas) > 0

    assert said[None]
    assert said[False]
    assert not said[True]  # The template opens a thought, and the random model does not close it.
