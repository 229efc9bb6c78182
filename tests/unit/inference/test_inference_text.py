"""How text leaves the worker and how a server's stream is read: the pure parts."""

import json
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.generation.coalescing import Coalescer
from services.inference.openai.chat_stream import ChatStream
from services.inference.openai.server_errors import Reason, ServerError, reason_of, retry_after
from services.inference.text.visible import is_visible
from services.inference.vllm.sampling import stream_interval

INTERVAL = 0.01
pauses = st.lists(st.floats(min_value=0, max_value=0.05), max_size=60)


def send_all(waits: list[float]) -> list[tuple[float, str, list[float]]]:
    """Plays a generation whose tokens come after these pauses: (left at, text, when its tokens came) each."""
    gathered = Coalescer(INTERVAL)
    messages: list[tuple[float, str, list[float]]] = []
    came: list[float] = []
    leaves = 0.0
    for number, now in enumerate(accumulate(waits)):
        if came and leaves < now:
            messages.append((leaves, gathered.take(leaves), came))
            came = []
        gathered.add(f"{number} ")
        came.append(now)
        leaves = now + max(0.0, gathered.wait(now))
        if leaves == now:
            messages.append((now, gathered.take(now), came))
            came = []
    if came:
        messages.append((leaves, gathered.take(leaves), came))
    return messages


@given(pauses)
def test_nothing_is_lost_and_the_order_stays(waits: list[float]) -> None:
    sent = "".join(text for _, text, _ in send_all(waits))

    assert sent == "".join(f"{number} " for number in range(len(waits)))


@given(pauses)
def test_no_token_waits_longer_than_the_interval(waits: list[float]) -> None:
    for left, _, tokens in send_all(waits):
        assert all(came <= left <= came + INTERVAL + 1e-9 for came in tokens)


@given(pauses)
def test_messages_keep_the_interval_between_them(waits: list[float]) -> None:
    times = [left for left, _, _ in send_all(waits)]

    assert all(after - before >= INTERVAL - 1e-9 for before, after in pairwise(times))


@given(st.lists(st.floats(min_value=INTERVAL * 1.001, max_value=1), max_size=30))
def test_when_idle_each_token_leaves_at_once(waits: list[float]) -> None:
    messages = send_all(waits)

    assert len(messages) == len(waits)
    assert all(tokens == [left] for left, _, tokens in messages)


def test_the_engine_hands_over_single_tokens_to_few_and_more_to_many() -> None:
    assert [stream_interval(running, 8) for running in (0, 1, 8, 16, 32, 64, 1000)] == [1, 1, 1, 2, 4, 8, 8]
    assert stream_interval(1000, 1) == 1


def stream_bytes(words: list[str]) -> bytes:
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"content": word}}]} for word in words]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    lines = [b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks]
    return b": hello\n\n" + b"".join(lines) + b"data: [DONE]\n\n"


@given(
    st.lists(st.text(min_size=1), max_size=8), st.lists(st.integers(min_value=0, max_value=400), max_size=6)
)
def test_it_does_not_matter_how_the_network_cuts_a_stream(words: list[str], cuts: list[int]) -> None:
    data = stream_bytes(words)
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    stream = ChatStream()

    read = [text for start, end in pairwise(at) for text in stream.feed(data[start:end])]

    assert read == words
    assert stream.pieces == len(words)
    assert stream.done
    assert stream.end == "stop"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'data: {"error": {"message": "out of memory"}}\n', "out of memory"),
        (b'data: {"error": "out of memory"}\n', "out of memory"),
        (b'data: {"object": "error", "message": "out of memory"}\n', "out of memory"),
    ],
)
def test_an_error_in_a_stream_is_said(line: bytes, message: str) -> None:
    with pytest.raises(ServerError, match=message):
        list(ChatStream().feed(line))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "too long", "type": "x"}}', "too long"),
        (b'{"error": "too long"}', "too long"),
        (b"404 page not found\n", "404 page not found"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'[{"error": {"message": "too long"}}]', "too long"),
        (b'{"object": "error", "message": "too long"}', "too long"),
        (b'{"ok": false}', '{"ok": false}'),
        (b"", "no reason given"),
    ],
)
def test_a_refusal_is_read_in_each_usual_form(body: bytes, message: str) -> None:
    assert reason_of(body).message == message


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason("slow down", "429"), 429),
        (Reason("slow down", "rate_limit_exceeded"), 429),
        (Reason("busy", "overloaded_error"), 503),
        (Reason("no", "invalid_request_error null"), 400),
        (Reason("who knows", "server_error"), 500),
        (Reason("who knows", "7"), 500),
    ],
)
def test_the_status_of_an_error_is_read_from_its_codes(reason: Reason, status: int) -> None:
    assert reason.status == status


@pytest.mark.parametrize(
    ("reason", "after", "is_used_up"),
    [
        (Reason("Please pay.", "insufficient_quota"), 0.0, True),
        (Reason("Please pay.", "insufficient_quota"), 20.0, True),
        (Reason("Please pay.", "billing_hard_limit_reached"), 0.0, True),
        (Reason("You exceeded your current quota, please check your plan."), 0.0, True),
        (Reason("You exceeded your current quota, please retry in 7 s."), 7.0, False),
        (Reason("Your credit balance is too low."), 0.0, True),
        (Reason("Rate limit reached for requests per minute.", "rate_limit_exceeded"), 0.0, False),
    ],
)
def test_a_quota_that_is_used_up_is_told_from_a_limit_per_minute(
    reason: Reason, after: float, is_used_up: bool
) -> None:
    assert reason.is_used_up(after) is is_used_up


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("2.5", 2.5),
        (" 0.25 ", 0.25),
        ("-3", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("Tue, 01 Dec 2026 01:00:30 GMT", 30.0),
        ("Tue, 01 Dec 2026 00:00:00 GMT", 0.0),
        ("Tue, 01 Dec 2026 01:00:30 -0000", 0.0),
    ],
)
def test_the_pause_that_a_server_asks_for_is_read_in_each_form(value: str, seconds: float) -> None:
    assert retry_after({"Retry-After": value}, datetime(2026, 12, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("text", "has_words"),
    [("", False), (" \n\t", False), ("\u200b\ufeff", False), ("\u00a0", False), ("0", True), (" 好 ", True)],
)
def test_blanks_and_marks_without_a_shape_are_no_answer(text: str, has_words: bool) -> None:
    assert is_visible(text) is has_words
