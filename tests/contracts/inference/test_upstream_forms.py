"""What servers of the wild send, and what the `openai` engine makes of it: the table of docs/inference.md."""

import json
from typing import Any

import pytest

from services.inference.openai.engine import OpenAiEngine
from shared.contract.errors import Refused
from tests.contracts.inference.engines_room import ask, parts_of, settings_for
from tests.contracts.inference.engines_server import MODEL, ChatServer
from tests.contracts.inference.raw_answers import (
    DONE,
    END,
    PAGE,
    SENTENCE,
    RawAnswer,
    choice,
    completion,
    document,
    event,
    gzipped,
    stream,
    whole_stream,
    word_events,
)

TEXT_PARTS = [{"type": "text", "text": SENTENCE[:9]}, {"type": "output_text", "text": SENTENCE[9:]}]
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "When does it leave?"}]}


def in_one_go(answer: RawAnswer, change: tuple[bytes, bytes] = (b"", b"")) -> RawAnswer:
    return stream(b"".join(answer.parts).replace(*change) if change[0] else b"".join(answer.parts))


def byte_by_byte(answer: RawAnswer) -> RawAnswer:
    return stream(*(bytes([byte]) for byte in b"".join(answer.parts)))


WHOLE = {
    "as usual": whole_stream(),
    "null in the middle": whole_stream(b"data: null\n\n"),
    "no [DONE]": whole_stream(last=[END]),
    "no blank line at the end": whole_stream(last=[END.strip()]),
    "choices null, missing and empty": whole_stream(
        event({"choices": None}), event({"id": "x"}), event({"choices": []}), event({"choices": [None]})
    ),
    "delta null": whole_stream(event(choice(None))),
    "content null": whole_stream(event(choice({"role": "assistant", "content": None}))),
    "error null": whole_stream(event({"error": None, "choices": []})),
    "comments, names of events, ids": whole_stream(b": ping\n\nevent: message\nid: 7\nretry: 10\n\n"),
    "data: without a space": in_one_go(whole_stream(), (b"data: ", b"data:")),
    "lines that end with CR LF": in_one_go(whole_stream(), (b"\n", b"\r\n")),
    "lines that end with CR": in_one_go(whole_stream(), (b"\n", b"\r")),
    "no blank lines between events": in_one_go(whole_stream(), (b"\n\n", b"\n")),
    "a byte order mark": stream(b"\xef\xbb\xbf", *whole_stream().parts),
    "byte by byte": byte_by_byte(whole_stream()),
    "an event of several lines": whole_stream(b'data: {"choices":\ndata:  [],\ndata: "usage": null}\n\n'),
    "events without data:": in_one_go(whole_stream(last=[END]), (b"data: ", b"")),
    "gzip": gzipped(whole_stream()),
    "content as parts": stream(event(choice({"content": [THINKING, *TEXT_PARTS]})), END, DONE),
    "parts that are texts": stream(event(choice({"content": [SENTENCE]})), END, DONE),
    "the whole message once more at the end": whole_stream(
        last=[event({"choices": [{"message": {"content": SENTENCE}, "finish_reason": "stop"}]})]
    ),
    "an error after the end": whole_stream(last=[END, event({"error": {"message": "no usage"}})]),
    "text, and tools that were not asked for": whole_stream(last=[event(choice({}, "tool_calls"))]),
    "one JSON answer": completion(SENTENCE),
    "one JSON answer with parts": completion([THINKING, *TEXT_PARTS]),
    "one JSON answer over many lines": stream(
        json.dumps(
            {"choices": [{"message": {"content": SENTENCE}, "finish_reason": "stop"}]}, indent=2
        ).encode()
    ),
}


@pytest.mark.parametrize("form", WHOLE)
async def test_openai_takes_it_whole(server: ChatServer, form: str) -> None:
    server.script = [WHOLE[form]]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        deltas, finished = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == SENTENCE
    assert finished.reason == "stop"
    assert len(server.bodies) == 1


async def test_openai_takes_a_chunk_of_megabytes(server: ChatServer) -> None:
    long = "word " * 1_000_000
    server.script = [stream(event(choice({"content": long})), END, DONE)]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        deltas, _ = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == long


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, (0, 8, 0)),
        ({"prompt_tokens": 12.0, "completion_tokens": 9.4}, (12, 9, 0)),
        ({"prompt_tokens": "12", "completion_tokens": -1, "prompt_tokens_details": []}, (0, 8, 0)),
        ({"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": None}}, (12, 8, 0)),
        ({"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4.0}}, (12, 8, 4)),
        ([], (0, 8, 0)),
        ("unknown", (0, 8, 0)),
    ],
)
async def test_openai_counts_by_itself_what_the_server_does_not_count(
    server: ChatServer, usage: Any, counted: tuple[int, int, int]
) -> None:
    server.script = [whole_stream(last=[END, event({"choices": [], "usage": usage}), DONE])]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        deltas, finished = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == SENTENCE
    known = finished.usage
    assert (known.input_tokens, known.output_tokens, known.cached_tokens) == counted


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
    ],
)
async def test_openai_knows_why_an_answer_ended(server: ChatServer, reason: str, meaning: str) -> None:
    server.script = [whole_stream(last=[event(choice({}, reason))])]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        _, finished = await parts_of(engine, ask())

    assert finished.reason == meaning


FIRST_FOUR = word_events()[:4]
CUT_OFF = {
    "empty in each chunk, then dropped": stream(*word_events(finish_reason="")[:4], drops=True),
    "empty in each chunk, then closed": stream(*word_events(finish_reason="")[:4]),
    "the word null in each chunk": stream(*word_events(finish_reason="null")[:4]),
    "null, then closed": stream(*FIRST_FOUR),
    "null, then [DONE]": stream(*FIRST_FOUR, DONE),
    "error": stream(*FIRST_FOUR, event(choice({}, "error")), DONE),
    "an unknown reason": stream(*FIRST_FOUR, event(choice({}, "insufficient_system_resource")), DONE),
    "a number": stream(*FIRST_FOUR, event(choice({}, 7)), DONE),
    "content_filter": stream(*FIRST_FOUR, event(choice({}, "content_filter")), DONE),
    "an error object": stream(*FIRST_FOUR, event({"error": {"message": "out of memory", "code": 500}})),
    "an error that is a text": stream(*FIRST_FOUR, event({"error": "out of memory"})),
    "an error of another form": stream(*FIRST_FOUR, event({"object": "error", "message": "out of memory"})),
    "half an event": stream(*FIRST_FOUR, b'data: {"choices": [{"del'),
    "no JSON": stream(*FIRST_FOUR, b"data: {broken}\n\n", *word_events()[4:], END),
    "a whole JSON answer without a reason": completion("The ferry leaves at", None),
}


@pytest.mark.parametrize("form", CUT_OFF)
async def test_openai_refuses_what_is_not_whole(server: ChatServer, form: str) -> None:
    server.script = [CUT_OFF[form]]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Refused, match=r"after \d tokens") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 502
    assert len(server.bodies) == 1


async def test_openai_names_the_reason_that_it_does_not_know(server: ChatServer) -> None:
    server.script = [CUT_OFF["an unknown reason"]]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Refused, match="insufficient_system_resource"):
            await parts_of(engine, ask())


@pytest.mark.parametrize(
    "answer",
    [
        document(PAGE),
        RawAnswer([PAGE]),
        stream(b"\n\n  <html>\n"),
        document(b"OK"),
        document([{"error": {"message": "not found"}}]),
        document({"status": "ok"}),
        stream(b"data: <html></html>\n\n"),
        stream(event({"choices": 3})),
        document(PAGE, status=301),
        document(PAGE, status=302, Location="/v1/models"),
        document(b"404 page not found", status=404),
        document({"detail": "Method Not Allowed"}, 405),
    ],
)
async def test_openai_says_at_once_that_the_url_is_wrong(server: ChatServer, answer: RawAnswer) -> None:
    server.script = [answer] * 9
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Refused, match="OPENAI_BASE_URL") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 502
    assert len(server.bodies) == 1


EMPTY = {
    "it only thought": stream(event(choice({"reasoning_content": "Hm."})), event(choice({}, "length"))),
    "only calls tools": stream(
        event(choice({"tool_calls": [{"index": 0}]})), event(choice({}, "tool_calls"))
    ),
    "refused: I can't": stream(event(choice({"refusal": "I can't."})), END),
    "never came to </think>": stream(event(choice({"content": "<think> Hm."})), END),
    "thought": completion([THINKING]),
}


@pytest.mark.parametrize("why", EMPTY)
async def test_openai_says_what_an_answer_without_text_has(server: ChatServer, why: str) -> None:
    server.script = [EMPTY[why]]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        deltas, finished = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == ""
    assert why in finished.instead_of_text


async def test_openai_refuses_an_answer_that_a_filter_left_empty(server: ChatServer) -> None:
    server.script = [stream(event(choice({"role": "assistant"})), event(choice({}, "content_filter")), DONE)]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Refused, match="content filter"):
            await parts_of(engine, ask())

    assert len(server.bodies) == 1
