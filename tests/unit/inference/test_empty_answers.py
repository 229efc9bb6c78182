"""An answer without text is no answer, whichever engine gives it: the worker refuses it and says why."""

from collections.abc import AsyncIterator

import pytest

from services.inference.openai.engine import OpenAiEngine
from services.inference.scripted.engine import ScriptedEngine
from services.inference.scripted.script import parse_script
from services.inference.settings import InferenceSettings
from shared.bus.connection import Bus
from shared.contract.errors import Refused
from tests.contracts.inference.engines_server import MODEL, ChatServer, chat_server
from tests.contracts.inference.raw_answers import END, RawAnswer, choice, completion, event, stream
from tests.unit.inference.inference_room import answer_to, ask, serve


@pytest.fixture
async def server(buses: tuple[Bus, Bus]) -> AsyncIterator[ChatServer]:
    _, bus = buses
    async with chat_server() as server:
        settings = InferenceSettings.model_validate(
            {"inference_engine": "openai", "openai_base_url": server.url, "model": MODEL}
        )
        async with OpenAiEngine.connected(settings) as engine:
            await serve(bus, engine)
            yield server


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (stream(event(choice({}, "content_filter"))), "content filter"),
        (
            stream(event(choice({"reasoning_content": "Hm."})), event(choice({}, "length"))),
            r"parrot gave an empty answer: it only thought \(max_tokens was reached\)",
        ),
        (stream(event(choice({"content": "<think> Hm."})), END), "never came to </think>"),
        (stream(event(choice({"content": "<think> Hm. </think>\n"})), END), "ended without a word"),
        (stream(event(choice({"tool_calls": [{"id": "a"}]}, "tool_calls"))), "it only calls tools"),
        (stream(event(choice({"content": " \n\u200b"})), END), "ended without a word"),
        (stream(END), "ended without a word"),
        (completion(""), "ended without a word"),
        (completion(None, "tool_calls", tool_calls=[{"id": "a"}]), "it only calls tools"),
    ],
)
async def test_an_empty_answer_is_refused_with_its_reason(
    buses: tuple[Bus, Bus], server: ChatServer, answer: RawAnswer, why: str
) -> None:
    server.script = [answer] * 9

    with pytest.raises(Refused, match=why) as refusal:
        await answer_to(ask("Hello."), buses[0])

    assert refusal.value.status == 502
    assert len(server.bodies) == 1


async def test_a_script_without_words_is_refused_as_well(buses: tuple[Bus, Bus]) -> None:
    client, bus = buses
    await serve(bus, ScriptedEngine(parse_script('[[rule]]\nanswer = " "\n')))

    with pytest.raises(Refused, match="scripted gave an empty answer"):
        await answer_to(ask("Hello."), client)
