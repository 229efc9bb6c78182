"""The inference worker over a real NATS server; the pace comes from the `openai` engine on a real server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from nats.aio.subscription import Subscription
from prometheus_client import REGISTRY

from services.inference.extractive.engine import ExtractiveEngine
from services.inference.generation.endpoints import Generations
from services.inference.openai.engine import OpenAiEngine
from services.inference.settings import InferenceSettings
from shared.bus.connection import Bus
from shared.contract.errors import Refused, Transient
from shared.contract.events import OutputDelta, decode_live
from shared.contract.requests import (
    ENGINE_NEEDED,
    REFLECTING,
    Abort,
    CountTokens,
    Generated,
    Message,
    Models,
    Passage,
    StillGenerating,
)
from tests.contracts.inference.engines_server import MODEL, ChatServer, chat_server
from tests.unit.inference.inference_room import TEXT, answer_to, ask, serve


class Worker(msgspec.Struct):
    """A worker on the bus, the server of its engine, and a client."""

    generations: Generations
    server: ChatServer
    client: Bus


@pytest.fixture
async def worker(buses: tuple[Bus, Bus]) -> AsyncIterator[Worker]:
    client, bus = buses
    async with chat_server() as server:
        settings = InferenceSettings.model_validate(
            {"inference_engine": "openai", "openai_base_url": server.url, "model": MODEL}
        )
        async with OpenAiEngine.connected(settings) as engine:
            yield Worker(await serve(bus, engine), server, client)


async def deltas_of(subscription: Subscription) -> list[OutputDelta]:
    """What has come until nothing comes for a moment."""
    deltas: list[OutputDelta] = []
    try:
        while True:
            delta = decode_live((await subscription.next_msg(0.1)).data)
            assert isinstance(delta, OutputDelta)
            deltas.append(delta)
    except TimeoutError:
        return deltas


async def becomes_idle(server: ChatServer) -> None:
    async with asyncio.timeout(5):
        while server.running:  # noqa: ASYNC110  # another task of HTTP changes it
            await asyncio.sleep(0.01)


async def test_the_text_comes_on_the_stream_with_indexes_without_gaps(worker: Worker) -> None:
    request = ask(first_index=3)
    stream = await worker.client.connection.subscribe(str(request.stream_to))

    answer = await answer_to(request, worker.client)

    deltas = await deltas_of(stream)
    assert "".join(delta.text for delta in deltas) == answer.text == TEXT
    assert [delta.index for delta in deltas] == list(range(3, answer.next_index))
    assert answer.finish_reason == "stop"
    assert answer.usage.output_tokens == 40
    assert answer.model == MODEL
    assert 0 < answer.first_token_seconds <= answer.seconds


async def test_a_slow_engine_sends_each_token_at_once_and_a_fast_one_several_together(worker: Worker) -> None:
    worker.server.word_seconds = 0.02
    slow = ask(" ".join(TEXT.split()[:10]))
    stream = await worker.client.connection.subscribe(str(slow.stream_to))
    await answer_to(slow, worker.client)
    assert len(await deltas_of(stream)) == 10

    worker.server.word_seconds = 0
    fast = ask(" ".join([TEXT] * 20))
    stream = await worker.client.connection.subscribe(str(fast.stream_to))
    answer = await answer_to(fast, worker.client)
    deltas = await deltas_of(stream)
    assert "".join(delta.text for delta in deltas) == answer.text
    assert len(deltas) < 400


async def test_an_abort_frees_the_engine_and_returns_what_there_was(worker: Worker) -> None:
    worker.server.word_seconds = 0.05
    request = ask()
    stream = await worker.client.connection.subscribe(str(request.stream_to))
    asked = asyncio.create_task(answer_to(request, worker.client))
    await stream.next_msg(2)

    await worker.client.broadcast(Abort.subject, Abort(request_id=request.request_id))
    answer = await asked

    assert answer.finish_reason == "abort"
    assert answer.model == MODEL
    assert TEXT.startswith(answer.text)
    assert 0 < len(answer.text) < len(TEXT)
    assert answer.next_index == 1 + len(await deltas_of(stream))
    await becomes_idle(worker.server)
    assert worker.server.left_early == 1


async def test_what_no_user_waits_for_is_broken_off_where_a_turn_comes(worker: Worker) -> None:
    worker.server.word_seconds = 0.05
    reading = asyncio.create_task(answer_to(ask(phase=REFLECTING, stream_to=None), worker.client))
    while not worker.server.running:  # noqa: ASYNC110  # another task of HTTP changes it
        await asyncio.sleep(0.01)

    turn = asyncio.create_task(answer_to(ask("one two three"), worker.client))

    with pytest.raises(Refused) as refused:
        await asyncio.wait_for(reading, 20)
    assert refused.value.status == ENGINE_NEEDED
    assert (await turn).finish_reason == "stop"


async def test_what_no_user_waits_for_does_not_begin_while_a_turn_is_answered(worker: Worker) -> None:
    worker.server.word_seconds = 0.05
    turn = asyncio.create_task(answer_to(ask("one two three four"), worker.client))
    while not worker.server.running:  # noqa: ASYNC110  # another task of HTTP changes it
        await asyncio.sleep(0.01)

    with pytest.raises(Refused, match="turns need the engine"):
        await answer_to(ask(phase=REFLECTING, stream_to=None), worker.client)
    assert (await turn).finish_reason == "stop"
    assert (await answer_to(ask("again", phase=REFLECTING, stream_to=None), worker.client)).text


async def test_an_abort_that_overtakes_its_request_still_ends_it(worker: Worker) -> None:
    worker.server.word_seconds = 0.05
    request = ask()
    asked = asyncio.create_task(answer_to(request, worker.client))
    await worker.client.broadcast(Abort.subject, Abort(request_id=request.request_id))

    assert (await asked).finish_reason == "abort"


async def test_an_abort_of_something_else_or_without_sense_changes_nothing(worker: Worker) -> None:
    request = ask()
    worker.server.word_seconds = 0.005
    asked = asyncio.create_task(answer_to(request, worker.client))
    await worker.client.broadcast(Abort.subject, Abort(request_id="another"))
    await worker.client.connection.publish(Abort.subject, b"no json")

    assert (await asked).finish_reason == "stop"


async def test_signs_of_life_come_before_the_answer(worker: Worker) -> None:
    worker.server.word_seconds = 0.02
    request = ask(" ".join(TEXT.split()[:20]))

    replies = [
        reply async for reply in worker.client.ask_and_follow(request, StillGenerating, silence_seconds=2)
    ]

    *signs, answer = replies
    assert isinstance(answer, Generated)
    assert len(signs) >= 2
    tokens = [sign.output_tokens for sign in signs if isinstance(sign, StillGenerating)]
    assert tokens == sorted(tokens)
    assert len(tokens) == len(signs)


async def test_the_same_request_is_refused_while_it_runs_and_taken_afterwards(worker: Worker) -> None:
    worker.server.word_seconds = 0.01
    request = ask()
    first = asyncio.create_task(answer_to(request, worker.client))
    await asyncio.sleep(0.1)

    with pytest.raises(Refused, match="already") as refusal:
        await answer_to(request, worker.client)

    assert refusal.value.status == 409
    assert (await first).text == TEXT
    assert (await answer_to(request, worker.client)).text == TEXT


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"stream_to": "turn.stream.*"}, "stream_to"),
        ({"stream_to": "$JS.API.STREAM.DELETE.TURNS"}, "stream_to"),
        ({"stream_to": ""}, "stream_to"),
        ({"messages": [Message("user", "Look.", ["http://127.0.0.1/a.png"])]}, "messages"),
    ],
)
async def test_what_cannot_work_is_refused(worker: Worker, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        await answer_to(ask(**wrong), worker.client)

    assert (refusal.value.status, refusal.value.field) == (422, field)
    assert worker.server.bodies == []


async def test_an_engine_that_is_away_is_unavailable(worker: Worker) -> None:
    worker.server.script = [503] * 9

    with pytest.raises(Transient, match="503"):
        await answer_to(ask(), worker.client)


async def test_a_stopping_worker_lets_a_short_generation_end_and_gives_a_long_one_up(worker: Worker) -> None:
    worker.server.word_seconds = 0.02
    short = asyncio.create_task(answer_to(ask("two words"), worker.client))
    long = asyncio.create_task(answer_to(ask(" ".join([TEXT] * 20)), worker.client))
    await asyncio.sleep(0.05)

    await worker.generations.stop(within=0.3)

    assert (await short).text == "two words"
    with pytest.raises(Transient, match="this worker stops"):
        await long
    await becomes_idle(worker.server)


async def test_models_are_told_with_the_load(worker: Worker) -> None:
    worker.server.word_seconds = 0.02
    running = asyncio.create_task(answer_to(ask(), worker.client))
    await asyncio.sleep(0.1)

    models = await worker.client.ask(Models())

    assert (models.engine, models.models[0], models.running, models.waiting) == ("openai", MODEL, 1, 0)
    assert models.context_tokens == 4096
    await running


async def test_the_extractive_engine_answers_with_its_source(buses: tuple[Bus, Bus]) -> None:
    client, bus = buses
    await serve(bus, ExtractiveEngine())
    told = Passage(
        turn_id="first",
        turn_number=1,
        score=1.0,
        similarity=0.8,
        input="My sister Mira lives in Lisbon and keeps bees.",
        output="Noted.",
        quoted=True,
    )
    request = ask("a prompt", question="Where does my sister Mira live?", passages=[told])
    stream = await client.connection.subscribe(str(request.stream_to))

    answer = await answer_to(request, client)

    assert answer.text == "My sister Mira lives in Lisbon and keeps bees. (turn 1)"
    assert answer.model == "extractive"
    assert answer.quoted
    assert [source.turn_id for source in answer.sources or []] == ["first"]
    assert "".join(delta.text for delta in await deltas_of(stream)) == answer.text


async def test_a_hundred_at_once_all_end_whole(buses: tuple[Bus, Bus], worker: Worker) -> None:
    requests = [ask(f"request {number} of many, said word by word") for number in range(100)]

    answers = await asyncio.gather(*(answer_to(request, worker.client) for request in requests))

    assert [answer.text for answer in answers] == [request.messages[0].content for request in requests]


async def test_nobody_answers_without_a_worker(buses: tuple[Bus, Bus]) -> None:
    with pytest.raises(Transient, match="no process answers"):
        await answer_to(ask(), buses[0])


async def test_what_nobody_reads_along_is_answered_and_not_streamed(worker: Worker) -> None:
    everything = await worker.client.connection.subscribe("turn.stream.>")

    answer = await answer_to(ask(stream_to=None), worker.client)

    assert answer.text == TEXT
    assert (answer.next_index, answer.pieces) == (0, [])
    assert await deltas_of(everything) == []


async def test_tokens_are_counted_over_the_bus(worker: Worker) -> None:
    counted = await worker.client.ask(CountTokens(texts=["two words", "one"]))

    assert (counted.counts, counted.exact) == ([2, 1], True)


async def test_tokens_and_seconds_are_told_by_role(worker: Worker) -> None:
    worker.server.cached_tokens = 16
    names = {
        "input": ("pandora_engine_tokens_total", {"direction": "input", "role": "MIND"}),
        "output": ("pandora_engine_tokens_total", {"direction": "output", "role": "MIND"}),
        "cached": ("pandora_engine_tokens_total", {"direction": "cached", "role": "MIND"}),
        "generations": ("pandora_engine_seconds_count", {"finish_reason": "stop", "role": "MIND"}),
        "first tokens": ("pandora_engine_first_token_seconds_count", {"role": "MIND"}),
    }

    def figures() -> dict[str, float]:
        return {key: REGISTRY.get_sample_value(*name) or 0.0 for key, name in names.items()}

    before = figures()
    answer = await answer_to(ask(role="MIND"), worker.client)

    assert answer.usage.cached_tokens == 16
    assert {key: value - before[key] for key, value in figures().items()} == {
        "input": 40,
        "output": 40,
        "cached": 16,
        "generations": 1,
        "first tokens": 1,
    }
