"""A file of messages: cut into lines, read, and planned into requests."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.http.callers import Caller
from services.gateway.imports.lines import (
    LONGEST_LINE_BYTES,
    MOST_BYTES,
    BadLine,
    LineCutter,
    LineReader,
    Said,
    plan_requests,
)
from shared.contract.abilities import FOR_ADMINS
from shared.contract.errors import Refused
from shared.contract.events import encode
from shared.contract.requests import MOST_MESSAGES
from tests.unit.samples import AT

SENDERS = {"alice": Caller("alice", FOR_ADMINS), "bob": Caller("bob")}
LINE = {"session_id": "s1", "message_id": "m1", "speaker": "Mira", "text": "I keep bees.", "at": "8 May 2023"}


def read(fields: object, *, sender: str = "alice", default_user: str | None = None) -> Said:
    raw = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return LineReader(SENDERS[sender], default_user or sender, AT).read(raw)


def said(number: int, session: str = "s", user: str = "alice", **more: Any) -> Said:
    fields = {"session_id": session, "message_id": f"m{number}", "speaker": "Mira", "text": f"Fact {number}."}
    return read(fields | {"user": user} | more)


# --- cutting ---


def cut(body: bytes, step: int, longest: int = 100) -> list[tuple[int, bytes]]:
    cutter = LineCutter(longest)
    found = [line for start in range(0, len(body), step) for line in cutter.feed(body[start : start + step])]
    return [*found, *cutter.end()]


@given(st.binary(max_size=60) | st.text("ab\r\n", max_size=60).map(str.encode), st.integers(1, 60))
def test_a_body_is_cut_alike_however_it_comes(body: bytes, step: int) -> None:
    plain = body.removeprefix(b"\xef\xbb\xbf")
    expected = [(number, line) for number, line in enumerate(plain.split(b"\n"), 1) if line.strip()]

    assert cut(body, step) == expected


def test_blank_lines_are_counted_and_left_out() -> None:
    assert cut(b"\xef\xbb\xbfa\n\n \r\nb\r\n", 3) == [(1, b"a"), (4, b"b\r")]


def test_of_a_long_line_one_byte_too_many_is_kept() -> None:
    assert cut(b"x" * 5000 + b"\nshort", 7, longest=10) == [(1, b"x" * 11), (2, b"short")]


# --- reading ---


def test_a_line_is_a_message() -> None:
    one = read(LINE | {"user": "bob", "likes": 3})

    assert (one.user, one.dated) == ("bob", True)
    assert msgspec.structs.asdict(one.message) == LINE | {"at": datetime(2023, 5, 8, tzinfo=UTC)}


@pytest.mark.parametrize("at", [None, "", "  "])
def test_without_a_time_it_is_the_time_of_the_import(at: str | None) -> None:
    assert (read(LINE | {"at": at}).message.at, read(LINE | {"at": at}).dated) == (AT, False)
    assert read({name: value for name, value in LINE.items() if name != "at"}).message.at == AT


def test_numbers_for_ids_are_taken_as_text() -> None:
    message = read(LINE | {"session_id": 7, "message_id": 12345678901234567890123}).message

    assert (message.session_id, message.message_id) == ("7", "12345678901234567890123")


def test_whose_a_line_is() -> None:
    assert read(LINE, sender="bob").user == "bob"
    assert read(LINE, default_user="carol").user == "carol"
    assert read(LINE | {"user": "bob"}, sender="bob").user == "bob"
    with pytest.raises(BadLine, match="user: bob may not import for 'alice'"):
        read(LINE | {"user": "alice"}, sender="bob")
    with pytest.raises(Refused, match="no user alice for this key of bob") as refusal:
        SENDERS["bob"].acts_for("alice")
    assert (refusal.value.status, refusal.value.field) == (404, "user")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"hello", "not JSON"),
        (b"{", "not JSON"),
        (b'{"text": "\xff"}', "not JSON"),
        (b'{"text": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON|Expected `object`"),
        (b"[]", "Expected `object`"),
        (b"x" * (LONGEST_LINE_BYTES + 1), "longer than 1048576 bytes"),
        ({name: value for name, value in LINE.items() if name != "text"}, "`text`"),
        ({name: value for name, value in LINE.items() if name != "session_id"}, "`session_id`"),
        (LINE | {"text": 7}, r"\$\.text"),
        (LINE | {"text": None}, r"\$\.text"),
        (LINE | {"text": ""}, "text: "),
        (LINE | {"text": " \n"}, "text: "),
        (LINE | {"text": '"' * (MOST_BYTES // 2)}, "text: .* at most 786432"),
        (LINE | {"speaker": ""}, "speaker: expected 1 to 128"),
        (LINE | {"speaker": "x" * 129}, "speaker: expected 1 to 128"),
        (LINE | {"session_id": "a\nb"}, "session_id: expected 1 to 128"),
        (LINE | {"session_id": True}, r"\$\.session_id"),
        (LINE | {"message_id": ""}, "message_id: expected 1 to 256"),
        (LINE | {"user": "a b"}, "user: expected 1 to 64"),
        (LINE | {"user": 7}, r"\$\.user"),
        (LINE | {"at": "tomorrow"}, "at: 'tomorrow' is no date"),
        (LINE | {"at": True}, r"\$\.at"),
        (LINE | {"at": 1e300}, "at: .* out of range"),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_a_bad_line_says_why(line: object, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        read(line)


# --- planning ---


def test_each_users_messages_go_in_requests_of_their_own() -> None:
    plan = plan_requests([said(1, user="alice"), said(2, user="bob"), said(3, user="alice")])

    assert [(request.user, [message.message_id for message in request.messages]) for [request] in plan] == [
        ("alice", ["m1", "m3"]),
        ("bob", ["m2"]),
    ]


def test_requests_hold_so_many_messages_and_bytes() -> None:
    many = plan_requests([said(number) for number in range(MOST_MESSAGES * 2 + 1)])
    large = plan_requests([said(number, text="x" * (MOST_BYTES // 3)) for number in range(5)])

    assert [[len(request.messages) for request in lane] for lane in many] == [[256, 256, 1]]
    assert [[len(request.messages) for request in lane] for lane in large] == [[2, 2, 1]]
    assert max(len(encode(request)) for request in large[0]) < 1_000_000


def test_messages_go_by_time_where_each_of_their_session_has_one() -> None:
    times = ["2023-05-03", "2023-05-01", "2023-05-01", "2023-05-02"]
    dated = [said(number, at=at) for number, at in enumerate(times)]
    undated = [said(number, at=at) for number, at in enumerate([*times, None])]

    [[by_time]], [[as_they_came]] = plan_requests(dated), plan_requests(undated)

    assert [message.message_id for message in by_time.messages] == ["m1", "m2", "m3", "m0"]
    assert [message.message_id for message in as_they_came.messages] == ["m0", "m1", "m2", "m3", "m4"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("stuv")), max_size=40))
def test_nothing_is_lost_and_a_session_keeps_its_order(rows: list[tuple[str, str]]) -> None:
    lines = [said(number, session, user) for number, (user, session) in enumerate(rows)]

    plan = plan_requests(lines)

    placed = [
        (request.user, message.session_id, int(message.message_id[1:]))
        for requests in plan
        for request in requests
        for message in request.messages
    ]
    assert sorted(number for _, _, number in placed) == list(range(len(rows)))
    for key in set(rows):
        numbers = [number for user, session, number in placed if (user, session) == key]
        assert numbers == sorted(numbers)


def test_dates_of_a_conversation_are_read_in_no_time() -> None:
    """A hundred thousand lines must not keep a gateway busy for a minute."""
    begun = time.process_time()
    for number in range(1000):
        said(number, at=f"1:{number % 60:02} pm on 8 May, 2023")

    assert time.process_time() - begun < 10
