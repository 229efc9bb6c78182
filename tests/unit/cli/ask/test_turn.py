"""`pandora ask` against a small real server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from cli.ask.answer import format_sources, noting_silence, show
from cli.ask.turn import Asked, Event, how_to_find, read_events, stream_turn
from cli.client.gateway import Gateway, gateway_at
from cli.terminal.failure import CommandFailed
from tests.unit.cli.gateway_room import served

QUEUED = 'event: turn.queued\nid: 0\ndata: {"type":"turn.queued","index":0,"turn_id":"t42"}\n\n'
DELTAS = (
    'event: output.delta\nid: 1\ndata: {"type":"output.delta","index":1,"text":"In "}\n\n: still here\n\n'
    'event: output.delta\r\nid: 2\r\ndata: {"type":"output.delta","index":2,"text":"Lisbon."}\r\n\r\n'
)
SAVED = (
    'event: turn.saved\nid: 3\ndata: {"type":"turn.saved","index":3,"session_id":"s","output":"In Lisbon.",'
    '"sources":[{"turn_id":"t","turn_number":1,"score":0.5,"quote":"Mira lives in Lisbon."}]}\n\n'
)
STREAM = QUEUED + DELTAS + SAVED
FAREWELL = "retry: 500\n: this gateway stops\n\n"
keys: list[str] = []
came_back_after: list[str] = []


async def answer(request: web.Request) -> web.StreamResponse:
    """Streams a turn; refuses an empty input; breaks off where the input says so."""
    said = await request.json()
    keys.append(request.headers["Idempotency-Key"])
    if not said["input"]:
        problem = {"title": "Bad Request", "detail": "must not be empty", "field": "input"}
        return web.json_response(problem, status=400)
    if request.headers.get("Authorization") != "Bearer secret":
        return web.json_response({"title": "Unauthorized", "detail": "no such key"}, status=401)
    sent = {
        "break": QUEUED,
        "break and come back": QUEUED + DELTAS[:80] + FAREWELL,
        "break at once": "" if keys.count(keys[-1]) == 1 else STREAM,
    }
    return web.Response(text=sent.get(said["input"], STREAM), content_type="text/event-stream")


async def events(request: web.Request) -> web.StreamResponse:
    """Has just restarted; then has nothing new; then has the rest."""
    came_back_after.append(request.headers["Last-Event-ID"])
    match len(came_back_after) % 3:
        case 1:
            return web.json_response({"title": "Not available now"}, status=503)
        case 2:
            return web.Response(text=": still here\n\n", content_type="text/event-stream")
    return web.Response(text=QUEUED + DELTAS + SAVED, content_type="text/event-stream")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/turns", answer)
    app.router.add_get("/v1/turns/t42/events", events)
    async with served(app) as address:
        yield address


@pytest.fixture
async def gateway(url: str) -> AsyncIterator[Gateway]:
    async with gateway_at(url, "secret") as connected:
        yield connected


def ignored(text: str) -> None:
    """What this test does not look at."""


async def unasked(waiting: Event) -> None:
    raise AssertionError(f"nothing should wait: {waiting}")


async def test_an_answer_is_written_as_it_comes_and_then_its_sources(gateway: Gateway) -> None:
    written: list[str] = []

    last = await show(
        stream_turn(gateway, Asked("Where does Mira live?", None)), written.append, ignored, unasked
    )

    assert written[:2] == ["In ", "Lisbon."]
    assert "turn 1: “Mira lives in Lisbon.”" in written[2]
    assert last["session_id"] == "s"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("", "secret", r"refused with status 400: must not be empty \(input\)"),
        ("hello", None, r"status 401: no such key\. Set PANDORA_API_KEY to a valid key"),
        ("break", "secret", r"broke off before the turn did .*Turn t42 goes on.*/v1/turns/t42"),
    ],
)
async def test_a_refusal_says_what_to_do(url: str, text: str, key: str | None, words: str) -> None:
    async with gateway_at(url, key) as gateway:
        with pytest.raises(CommandFailed, match=words):
            await show(stream_turn(gateway, Asked(text, None), pauses=(0.0,)), ignored, ignored, unasked)


async def test_where_the_connection_breaks_the_answer_goes_on_without_a_repeat(gateway: Gateway) -> None:
    written: list[str] = []
    came_back_after.clear()
    asked = Asked("break and come back", None)

    last = await show(stream_turn(gateway, asked, pauses=(0.0,) * 4), written.append, ignored, unasked)

    assert written[:2] == ["In ", "Lisbon."]
    assert last["type"] == "turn.saved"
    assert came_back_after == ["1", "1", "1"]


async def test_a_turn_that_nothing_was_heard_of_is_asked_for_again_under_the_same_key(
    gateway: Gateway,
) -> None:
    keys.clear()

    last = await show(
        stream_turn(gateway, Asked("break at once", None), pauses=(0.0,)), ignored, ignored, unasked
    )

    assert last["type"] == "turn.saved"
    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_a_user_who_leaves_reads_where_the_answer_will_be(gateway: Gateway) -> None:
    asked = Asked("Where does Mira live?", None)
    stream = stream_turn(gateway, asked)
    before = how_to_find(gateway.url, asked)

    await anext(stream)
    await stream.aclose()

    assert "pandora status" in before
    assert how_to_find(gateway.url, asked).splitlines() == [
        f"Turn t42 goes on. Its answer will be at {gateway.url}/v1/turns/t42.",
        f"To follow it: `curl -N {gateway.url}/v1/turns/t42/events`",
        "To cancel it: `pandora cancel t42`",
    ]


async def test_without_a_gateway_the_next_step_is_named() -> None:
    async with gateway_at("http://127.0.0.1:1", None) as gateway:
        with pytest.raises(CommandFailed, match=r"No gateway answers at .*Start Pandora with `pandora up`"):
            await show(stream_turn(gateway, Asked("hello", None)), ignored, ignored, unasked)


async def test_an_event_may_have_several_lines_of_data() -> None:
    async def lines() -> AsyncIterator[bytes]:
        for line in (b"data: {\n", b'data: "type": "x"}\n', b"\n", b"\n", b": heartbeat\n", b"\n"):
            yield line

    assert [event async for event in read_events(lines())] == [{"type": "x"}]


def test_an_answer_without_sources_has_no_list_of_them() -> None:
    assert format_sources([]) == ""


def test_sources_without_a_turn_or_a_quote_are_named() -> None:
    sources: list[Event] = [
        {"kind": "research", "id": "https://example.org/bees", "quote": "", "at": None},
        {
            "kind": "research",
            "id": "r1",
            "speaker": "example.org",
            "quote": "Bees.",
            "at": "2026-11-21T08:00Z",
        },
        {"kind": "memory", "id": "m1", "quote": "I live in Porto.", "at": "2026-11-21T08:00Z"},
    ]

    assert format_sources(sources).splitlines()[2:] == [
        "  https://example.org/bees",
        "  example.org, 2026-11-21: “Bees.”",
        "  memory, 2026-11-21: “I live in Porto.”",
    ]


@pytest.mark.parametrize(
    ("said", "ok", "notes"),
    [
        (False, False, ["notes.add ...", "notes.add was not allowed."]),
        (True, False, ["notes.add ...", "notes.add was allowed, but failed."]),
        (None, False, ["notes.add ...", "notes.add was not allowed, or failed."]),
        (True, True, ["notes.add ..."]),
    ],
)
async def test_the_result_of_a_call_that_waited_is_said(
    said: bool | None, ok: bool, notes: list[str]
) -> None:
    noted: list[str] = []

    async def events() -> AsyncIterator[Event]:
        for call in ("m", "n"):
            yield {"type": "tool.started", "call": call, "tool": "notes.add"}
            if call == "n":
                yield {"type": "tool.waiting", "call": call, "tool": "notes.add"}
            yield {"type": "tool.ended", "call": call, "tool": "notes.add", "ok": ok}
        yield {"type": "turn.saved", "sources": []}

    async def answered(waiting: Event) -> bool | None:
        return said

    await show(events(), ignored, noted.append, answered)

    assert noted == ["notes.add ...", *notes]


async def test_a_silence_is_noted_once_and_ends_nothing() -> None:
    async def events() -> AsyncIterator[Event]:
        for number in range(3):
            await asyncio.sleep(0.05)
            yield {"index": number}

    notes: list[str] = []

    seen = [event["index"] async for event in noting_silence(events(), notes.append, seconds=0.01)]

    assert seen == [0, 1, 2]
    assert notes == ["Nothing came for 0.01 s. See `pandora status`. Ctrl-C leaves; the turn goes on."]
