"""The bytes on the bus: each message as its golden file says, each reader as tolerant as was promised."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.errors import Poison
from shared.contract.events import (
    LAST_EVENTS,
    LIVE_EVENTS,
    STORED_EVENTS,
    Event,
    TurnRequested,
    TurnSaved,
    decode,
    decode_live,
    encode,
    encode_lines,
    live_subject,
)
from shared.contract.requests import Generate, GetTurn, Request, Search, reply_type
from tests.contracts.messages.sampled_events import LIVE, STORED
from tests.contracts.messages.samples import ALL, GOLDEN, golden_text
from tests.contracts.messages.strategies import messages

REQUESTS: list[type[Request[Any]]] = Request.__subclasses__()
EARLIER = GOLDEN / "earlier"


def name_of(kind: type[Request[Any]]) -> str:
    """Of its golden file."""
    return kind.subject.removesuffix(".*")


def test_every_message_has_a_golden_file() -> None:
    asked = {name_of(kind) for kind in REQUESTS}
    answered = {f"{name}.reply" for name in asked}

    assert [type(event) for event in STORED] == list(STORED_EVENTS)
    assert [type(event) for event in LIVE] == list(LIVE_EVENTS)
    assert asked | answered <= set(ALL)
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ALL)


def test_every_golden_reply_is_of_the_type_that_its_request_names() -> None:
    for kind in REQUESTS:
        assert type(ALL[name_of(kind)]) is kind
        assert type(ALL[f"{name_of(kind)}.reply"]) is reply_type(kind)


@pytest.mark.parametrize("name", ALL)
def test_a_message_is_written_as_its_golden_file_says(name: str) -> None:
    assert golden_text(ALL[name]) == (GOLDEN / f"{name}.json").read_text(), (
        "the contract has changed: see tests/contracts/messages/samples.py"
    )


@pytest.mark.parametrize("name", ALL)
def test_a_golden_file_is_read_back_as_it_was_written(name: str) -> None:
    body = msgspec.json.format((GOLDEN / f"{name}.json").read_bytes(), indent=-1)

    assert decode(type(ALL[name]), body) == ALL[name]


@pytest.mark.parametrize("name", ALL)
def test_a_golden_message_leaves_no_field_at_its_default(name: str) -> None:
    """Or a renamed field could be dropped and filled in again without a difference."""
    message = ALL[name]
    for field in msgspec.structs.fields(message):
        default = field.default_factory() if callable(field.default_factory) else field.default
        assert getattr(message, field.name) != default, field.name


@pytest.mark.parametrize("name", ALL)
def test_a_reader_ignores_fields_that_it_does_not_know(name: str) -> None:
    newer = {"added_later": [{"deep": None}], **json.loads(encode(ALL[name]))}

    assert decode(type(ALL[name]), encode(newer)) == ALL[name]


@pytest.mark.parametrize("name", ALL)
def test_a_field_with_a_default_may_be_left_out(name: str) -> None:
    """A sender of before the field leaves it out."""
    kind, fields = type(ALL[name]), json.loads(encode(ALL[name]))
    optional = [field for field in msgspec.structs.fields(kind) if not field.required]
    older = {key: value for key, value in fields.items() if key not in {field.name for field in optional}}

    read = decode(kind, encode(older))

    for field in optional:
        default = field.default_factory() if callable(field.default_factory) else field.default
        assert getattr(read, field.name) == default


@pytest.mark.parametrize("path", sorted(EARLIER.glob("*.json")), ids=lambda path: str(path.stem))
def test_a_message_of_an_earlier_version_is_still_read(path: Path) -> None:
    """The bytes that were sent before the contract grew, with what they said then."""
    earlier = json.loads(path.read_bytes())

    read = json.loads(encode(decode(type(ALL[path.stem]), path.read_bytes())))

    assert only_what_is_in(earlier, read) == earlier


def only_what_is_in(earlier: Any, later: Any) -> Any:
    """`later` without the fields that `earlier` does not have."""
    if isinstance(earlier, dict):
        return {key: only_what_is_in(earlier[key], later[key]) for key in earlier}
    if isinstance(earlier, list):
        return [only_what_is_in(*pair) for pair in zip(earlier, later, strict=True)]
    return later


@pytest.mark.parametrize("name", ALL)
def test_a_missing_required_field_is_poison_that_names_it(name: str) -> None:
    kind, fields = type(ALL[name]), json.loads(encode(ALL[name]))
    for field in msgspec.structs.fields(kind):
        if field.required:
            body = {key: value for key, value in fields.items() if key != field.name}
            with pytest.raises(Poison, match=f"not a valid {kind.__name__}.*`{field.name}`"):
                decode(kind, json.dumps(body).encode())


@pytest.mark.parametrize("name", ALL)
def test_a_field_of_another_type_is_poison(name: str) -> None:
    kind, fields = type(ALL[name]), json.loads(encode(ALL[name]))
    for field in msgspec.structs.fields(kind):
        wrong = 0 if isinstance(fields[field.name], dict) else {"an": "object"}
        with pytest.raises(Poison, match=rf"`\$\.{field.name}`"):
            decode(kind, json.dumps({**fields, field.name: wrong}).encode())


@pytest.mark.parametrize("event", LIVE, ids=lambda event: str(event.type))
def test_a_live_event_is_told_apart_by_its_type(event: Any) -> None:
    assert json.loads(encode(event))["type"] == event.type
    assert decode_live(encode(event)) == event


def test_lines_hold_each_message_as_it_is_sent() -> None:
    assert encode_lines(LIVE).splitlines() == [encode(event) for event in LIVE]
    assert encode_lines(LIVE).endswith(b"\n")
    assert encode_lines([]) == b""


def test_a_live_event_of_no_known_type_is_poison() -> None:
    with pytest.raises(Poison, match="not a live event"):
        decode_live(b'{"type":"turn.applauded","index":1}')
    with pytest.raises(Poison, match="not a live event"):
        decode_live(b'{"index":1}')


def test_a_turn_ends_with_one_of_three_live_events() -> None:
    assert {kind.__struct_config__.tag for kind in LAST_EVENTS} == {
        "turn.saved",
        "turn.failed",
        "turn.cancelled",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[1]",
        b"null",
        b'{"turn_id":"a","session_id":"s","input":"\xff"}',
        b'{"turn_id":"a","session_id":"s","input":"\\ud800"}',
        b'{"turn_id":"a","session_id":"s","input":"x"',
        b'{"turn_id":"a","session_id":"s","input":"x","extra":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["empty", "no JSON", "a list", "null", "bad UTF-8", "half a surrogate", "cut off", "very deep"],
)
def test_what_is_no_message_is_poison(body: bytes) -> None:
    with pytest.raises(Poison, match="not a valid TurnRequested"):
        decode(TurnRequested, body)
    with pytest.raises(Poison, match="not a live event"):
        decode_live(body.replace(b'"turn_id":"a"', b'"type":"output.delta"').replace(b"input", b"text"))


# --- ids ---------------------------------------------------------------------------------------------------

_IN_NO_ID = ["", " ", "a b", "a\n", "\na", "a*", ">", "*", "a/b", "../a", "a\0", "ä"]


@pytest.mark.parametrize("turn_id", [*_IN_NO_ID, "a.b", "a:b", "x" * 65])
@pytest.mark.parametrize("kind", [TurnRequested, GetTurn])
def test_an_id_that_is_no_token_of_a_subject_is_refused(kind: type[msgspec.Struct], turn_id: str) -> None:
    good = next(message for message in ALL.values() if type(message) is kind)
    with pytest.raises(Poison, match=r"`\$\.turn_id`"):
        decode(kind, encode(msgspec.structs.replace(good, turn_id=turn_id)))


@pytest.mark.parametrize("session_id", [*_IN_NO_ID, "x" * 129])
def test_a_session_with_a_strange_name_is_refused(session_id: str) -> None:
    with pytest.raises(Poison, match=r"`\$\.session_id`"):
        decode(TurnRequested, encode(msgspec.structs.replace(STORED[0], session_id=session_id)))


@pytest.mark.parametrize("user", [*_IN_NO_ID, "a:b", "x" * 65])
def test_a_user_with_a_strange_name_is_refused(user: str) -> None:
    with pytest.raises(Poison, match=r"`\$\.user`"):
        decode(Search, encode(Search(user=user, query="bees")))


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_every_turn_id_is_one_token_of_a_subject(turn_id: str) -> None:
    asked = decode(GetTurn, encode(GetTurn(user="alice", turn_id=turn_id)))

    assert live_subject(asked.turn_id).split(".") == ["turn", "stream", turn_id]


# --- laws --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*STORED_EVENTS, *LIVE_EVENTS, *REQUESTS])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_message_comes_back_as_it_was_sent(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    message = data.draw(messages(kind))

    assert decode(kind, encode(message)) == message


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_a_reader(body: bytes) -> None:
    for kind in (TurnSaved, Generate):
        with pytest.raises(Poison):
            decode(kind, body)


# --- CloudEvents -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", STORED, ids=lambda event: event.subject)
def test_a_stored_event_names_its_subject_and_version(event: Event) -> None:
    assert event.ce_type() == f"pandora.{event.subject}.v1"
    assert event.ce_dataschema() == f"/schemas/{event.subject}/v1"


@pytest.mark.parametrize("event", STORED, ids=lambda event: event.subject)
def test_a_message_id_is_what_it_is_about_and_the_subject_and_nothing_random(event: Event) -> None:
    again = decode(type(event), encode(event))

    assert again.message_id == event.message_id == f"{event.about}:{event.subject}"
