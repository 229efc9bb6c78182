"""How often the `openai` engine asks its server. What raises Refused is not asked again by any layer."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from services.inference.openai import attempts
from services.inference.openai.attempts import AnotherTry, Attempts
from services.inference.openai.engine import OpenAiEngine
from shared.contract.errors import Refused, Transient
from tests.contracts.inference.engines_room import TEXT, ask, parts_of, settings_for
from tests.contracts.inference.engines_server import MODEL, ChatServer
from tests.contracts.inference.raw_answers import RawAnswer, document, event, stream

BUSY = {"error": {"message": "slow down", "type": "rate_limit_error"}}


@pytest.mark.parametrize(
    "failure",
    [
        500,
        502,
        504,
        "drop",
        "error in stream",
        stream(event({"choices": []}), drops=True),
        stream(b": ping\n\n"),
    ],
)
async def test_what_may_have_been_paid_for_is_repeated_twice(
    server: ChatServer, failure: int | str | RawAnswer
) -> None:
    server.script = [failure] * 9
    async with OpenAiEngine.connected(settings_for(server, model=MODEL, openai_retries=8)) as engine:
        with pytest.raises(Refused, match="3 requests were sent") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 502
    assert len(server.bodies) == 3


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_server_that_takes_nothing_now_is_asked_again_later(server: ChatServer, status: int) -> None:
    server.script = [status] * 9
    async with OpenAiEngine.connected(settings_for(server, model=MODEL, openai_retries=1)) as engine:
        with pytest.raises(Transient, match=f"scripted {status}"):
            await parts_of(engine, ask())

    assert len(server.bodies) == 2


async def test_after_a_request_that_may_have_been_paid_for_no_layer_begins_anew(server: ChatServer) -> None:
    server.script = [500, 503, 503]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL, openai_retries=2)) as engine:
        with pytest.raises(Refused, match="scripted 503"):
            await parts_of(engine, ask())

    assert len(server.bodies) == 3


async def test_a_server_that_is_silent_for_too_long_is_not_asked_again(server: ChatServer) -> None:
    server.script = ["silence"]
    async with OpenAiEngine.connected(settings_for(server, openai_first_token_timeout_seconds=0.2)) as engine:
        with pytest.raises(Refused, match="OPENAI_FIRST_TOKEN_TIMEOUT_SECONDS") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 504
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "answer",
    [
        document({"error": {"message": "Please pay.", "code": "insufficient_quota"}}, 429),
        document(
            {"error": {"message": "Please pay.", "type": "insufficient_quota"}}, 429, **{"Retry-After": "1"}
        ),
        document({"error": {"message": "You exceeded your current quota, check your plan."}}, 429),
        document({"error": {"message": "Insufficient Balance"}}, 402),
        document({"error": {"message": "Your credit balance is too low.", "type": "invalid"}}, 400),
        stream(event({"error": {"message": "Please pay.", "code": "billing_hard_limit_reached"}})),
    ],
)
async def test_a_quota_that_is_used_up_is_not_tried_again(server: ChatServer, answer: RawAnswer) -> None:
    server.script = [answer] * 9
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Refused, match="is used up") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 502
    assert len(server.bodies) == 1


async def test_a_short_pause_that_the_server_asks_for_is_kept(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    of_attempts = Attempts.pause_after

    def noted(self: Attempts, failure: AnotherTry) -> float:
        pauses.append(of_attempts(self, failure))
        return 0.0

    monkeypatch.setattr(attempts.Attempts, "pause_after", noted)
    in_six_seconds = format_datetime(datetime.now(UTC) + timedelta(seconds=6))
    server.script = [
        document(BUSY, 429, **{"Retry-After": "2.5"}),
        document(BUSY, 503, **{"Retry-After": in_six_seconds}),
    ]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        deltas, _ = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == TEXT
    assert pauses[0] == 2.5
    assert 1.0 < pauses[1] <= 6.0


async def test_a_long_pause_that_the_server_asks_for_is_left_to_the_turn(server: ChatServer) -> None:
    server.script = [document(BUSY, 429, **{"Retry-After": "8.5"})]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Transient, match=r"asks to wait 8\.5 s\): slow down") as failure:
            await parts_of(engine, ask())

    assert failure.value.retry_in == 8.5
    assert len(server.bodies) == 1
