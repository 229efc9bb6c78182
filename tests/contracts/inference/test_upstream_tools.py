"""The forms in which servers send calls of tools, and what the `openai` engine makes of them."""

from typing import Any

import pytest

from services.inference.openai.engine import OpenAiEngine
from shared.contract.requests import Tool
from tests.contracts.inference.engines_room import ask, parts_of, settings_for
from tests.contracts.inference.engines_server import MODEL, ChatServer
from tests.contracts.inference.raw_answers import DONE, RawAnswer, choice, completion, event, stream

TOOLS = [Tool(name="find"), Tool(name="fly")]
MIRA, RIGA = '{"who": "Mira"}', '{"to": "Riga"}'


def piece(name: str | None, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def calling(*pieces: dict[str, Any] | list[dict[str, Any]], reason: str = "tool_calls") -> RawAnswer:
    events = [
        event(choice({"tool_calls": one if isinstance(one, list) else [one], "content": None}))
        for one in pieces
    ]
    return stream(*events, event(choice({}, reason)), DONE)


FORMS = {
    "as OpenAI, letter by letter": calling(
        piece("find", "", index=0, id="a"),
        *(piece(None, letter, index=0) for letter in MIRA),
        piece("fly", "", index=1, id="b"),
        *(piece(None, letter, index=1) for letter in RIGA),
    ),
    "in turn": calling(
        piece("find", "", index=0, id="a"),
        piece("fly", RIGA[:4], index=1, id="b"),
        piece(None, MIRA, index=0),
        piece(None, RIGA[4:], index=1),
    ),
    "the id and the name again with each piece": calling(
        piece("find", MIRA[:5], index=0, id="a"),
        piece("find", MIRA[5:], index=0, id="a"),
        piece("fly", RIGA, index=1, id="b"),
    ),
    "an empty id after the first piece": calling(
        piece("find", MIRA[:5], index=0, id="a"),
        piece("", MIRA[5:], index=0, id=""),
        piece("fly", RIGA, index=1, id="b"),
    ),
    "without an index": calling(piece("find", MIRA, id="a"), piece("fly", RIGA, id="b")),
    "all of index 0": calling(piece("find", MIRA, index=0, id="a"), piece("fly", RIGA, index=0, id="b")),
    "all at once": calling([piece("find", MIRA, index=0, id="a"), piece("fly", RIGA, index=1, id="b")]),
    "arguments as an object": calling(
        piece("find", {"who": "Mira"}, id="a"), piece("fly", {"to": "Riga"}, id="b")
    ),
    "an end that says stop": calling(piece("find", MIRA, id="a"), piece("fly", RIGA, id="b"), reason="stop"),
    "one JSON answer": completion(
        None, "tool_calls", tool_calls=[piece("find", MIRA, id="a"), piece("fly", RIGA, id="b")]
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_openai_reads_the_calls(server: ChatServer, form: str) -> None:
    server.script = [FORMS[form]]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        deltas, finished = await parts_of(engine, ask(tools=TOOLS))

    called = [(call.id, call.name, call.arguments.replace('":"', '": "')) for call in finished.tool_calls]
    assert called == [("a", "find", MIRA), ("b", "fly", RIGA)]
    assert (finished.reason, deltas) == ("tool_calls", [])


async def test_openai_gives_an_id_to_calls_that_have_none(server: ChatServer) -> None:
    server.script = [calling(piece("find", MIRA), piece("fly", None))]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        _, finished = await parts_of(engine, ask(tools=TOOLS))

    first, second = finished.tool_calls
    assert first.id
    assert second.id not in {"", first.id}
    assert (first.arguments, second.arguments) == (MIRA, "{}")


async def test_openai_hands_on_a_call_that_the_limit_cut_off(server: ChatServer) -> None:
    server.script = [calling(piece("find", MIRA[:6], index=0, id="a"), reason="length")]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        _, finished = await parts_of(engine, ask(tools=TOOLS, max_tokens=3))

    assert finished.reason == "length"
    assert [call.arguments for call in finished.tool_calls] == [MIRA[:6]]


async def test_openai_drops_calls_of_tools_that_were_not_offered(server: ChatServer) -> None:
    server.script = [FORMS["all at once"]]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        _, finished = await parts_of(engine, ask())

    assert (finished.reason, finished.tool_calls) == ("stop", [])
    assert "only calls tools" in finished.instead_of_text
