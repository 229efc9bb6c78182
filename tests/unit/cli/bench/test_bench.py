"""`pandora bench` against a real small server, and its figures."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from msgspec.structs import replace

from cli.bench.figures import Spread, speed_of, spread_of
from cli.bench.load import Plan, measure
from cli.bench.server import Measured
from cli.terminal.failure import CommandFailed
from tests.unit.cli.gateway_room import served

PLAN = Plan(model="m", concurrency=3, requests=7, seconds=0, tokens=4, prompt="Bees?")
asked: list[dict[str, object]] = []


async def complete(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Authorization") != "Bearer secret":
        return web.json_response({"error": {"message": "no such key"}}, status=401)
    body = await request.json()
    asked.append(body)
    if body["model"] == "mute":
        return web.Response(text="data: [DONE]\n\n", content_type="text/event-stream")
    if body["model"] == "weak" and len(asked) % 2 == 0:
        return web.Response(
            text='data: {"error": {"message": "no room"}}\n\n', content_type="text/event-stream"
        )
    words = "".join(
        f'data: {{"choices": [{{"delta": {{"content": "{word}"}}}}]}}\n\n' for word in ("I", " like", " bees")
    )
    usage = 'data: {"choices": [], "usage": {"completion_tokens": 5}}\n\n' if body["model"] == "m" else ""
    return web.Response(text=f"{words}{usage}data: [DONE]\n\n", content_type="text/event-stream")


async def models(request: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "m"}, {"id": "mute"}]})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", models)
    asked.clear()
    async with served(app) as started:
        yield started


async def test_as_many_requests_as_are_named_are_measured(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await measure(f"{url}/v1", "secret", PLAN, as_json=True)

    figures = json.loads(capsys.readouterr().out)
    assert (figures["requests"], figures["failed"], figures["tokens"]) == (7, 0, 35)
    assert figures["tokens_are_counted"]
    assert 0 < figures["first_token"]["p50"] <= figures["whole_answer"]["worst"]
    assert len(asked) == 1 + 7
    assert len({str(one["messages"]) for one in asked}) == len(asked)


async def test_failures_are_counted_by_what_was_said(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await measure(url, "secret", replace(PLAN, model="weak", requests=6), as_json=False)

    shown = capsys.readouterr()
    assert "weak: 3 answers" in shown.out
    assert "pieces of text" in shown.out
    assert "3 failed: The answer of" in shown.err
    assert "no room" in shown.err


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        ("m", "wrong", "refused with status 401: no such key. Give a valid key with --key."),
        ("mute", "secret", "the stream has no text"),
        ("", "secret", "lists these models: m, mute. Choose one with --model."),
    ],
)
async def test_what_cannot_be_measured_is_said(url: str, model: str, key: str, said: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        await measure(url, key, replace(PLAN, model=model), as_json=True)

    assert said in str(failed.value)


async def test_no_server_is_said() -> None:
    with pytest.raises(CommandFailed, match=r"No server answers at http://127\.0\.0\.1:1/v1"):
        await measure("http://127.0.0.1:1", "", PLAN, as_json=True)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert spread_of([float(value) for value in range(100, 0, -1)]) == Spread(
        p50=50, p90=90, p99=99, worst=100
    )
    assert spread_of([3.0, 1.0, 2.0], slowest_last=True) == Spread(p50=2, p90=1, p99=1, worst=1)


def test_a_speed_leaves_out_the_wait_for_the_first_token() -> None:
    assert speed_of(Measured(first_token=5.0, whole=7.0, tokens=11, is_counted=True)) == 5.0
    assert speed_of(Measured(first_token=2.0, whole=2.0, tokens=1, is_counted=True)) == 0.5
