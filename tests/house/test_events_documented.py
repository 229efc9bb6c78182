"""docs/events.md tells the truth about every subject, message, stream and durable."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared import events, letters, memories, replies
from shared.endpoints import Problem, reply_type
from shared.events import LIVE_EVENTS, STORED_EVENTS, Event, LiveEvent
from shared.replies import Abort, Aborted, Generate, Request, StillGenerating
from shared.streams import DURABLES, STREAMS

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
REQUESTS: list[type[Request[Any]]] = Request.__subclasses__()
PARTS = {
    kind.__name__: kind
    for module in (events, replies, letters, memories)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and f"(#{kind.__name__.lower()})" in PAGE
}
Fields = dict[str, bool]
"""Name of a field, and whether it is required."""


@pytest.mark.parametrize("kind", STORED_EVENTS)
def test_a_stored_event_is_documented(kind: type[Event]) -> None:
    section = section_of(f"`{kind.subject}`")
    stream = next(stream for stream in STREAMS if kind.subject in (stream.subjects or ()))

    assert tables(section) == [fields(kind)]
    assert f"Stream {stream.name}, type `{kind.ce_type()}`." in section
    assert "Message id: `<turn_id>:<subject>`" in PAGE


@pytest.mark.parametrize("kind", LIVE_EVENTS)
def test_a_live_event_is_documented(kind: type[LiveEvent]) -> None:
    assert tables(section_of(f"`turn.stream.<turn_id>`: `{kind.__struct_config__.tag}`")) == [fields(kind)]


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_and_its_answer_are_documented(kind: type[Request[Any]]) -> None:
    messages: list[type[msgspec.Struct]] = [kind, reply_type(kind)]
    if kind is Generate:
        messages.append(StillGenerating)

    assert tables(section_of(f"`{kind.subject}`")) == [fields(one) for one in messages if fields(one)]


@pytest.mark.parametrize("kind", PARTS.values(), ids=PARTS)
def test_a_part_of_messages_is_documented(kind: type[msgspec.Struct]) -> None:
    assert tables(section_of(kind.__name__)) == [fields(kind)]


def test_an_abort_and_a_refusal_are_documented() -> None:
    assert tables(section_of(f"`{Abort.subject}`")) == [fields(Abort), fields(Aborted)]
    assert fields(Problem) in tables(PAGE)


def test_nothing_is_documented_that_is_not_there() -> None:
    headings = set(re.findall(r"^### (.+)$", PAGE, re.MULTILINE))
    live = {f"`turn.stream.<turn_id>`: `{kind.__struct_config__.tag}`" for kind in LIVE_EVENTS}
    stored = {f"`{kind.subject}`" for kind in STORED_EVENTS}
    asked = {f"`{kind.subject}`" for kind in REQUESTS} | {f"`{Abort.subject}`"}

    assert headings == live | stored | asked | PARTS.keys()


def test_every_stream_is_documented_with_its_subjects() -> None:
    for stream in STREAMS:
        subjects = ", ".join(f"`{subject}`" for subject in stream.subjects or ())
        assert f"| {stream.name} | {subjects} |" in PAGE


def test_every_durable_is_documented_with_its_stream() -> None:
    for durable in DURABLES:
        subjects = ", ".join(f"`{subject}`" for subject in durable.subjects)
        assert f"| `{durable.name}` | {subjects} | {durable.stream} |" in PAGE


def test_a_durable_is_named_after_its_service_and_event() -> None:
    for durable in DURABLES:
        assert re.fullmatch(r"[a-z]+-[a-z]+-[a-z]+", durable.name)
        assert durable.name.endswith(durable.subject.replace(".", "-"))
        assert len(durable.name) < 32


@pytest.mark.parametrize("kind", [*STORED_EVENTS, *REQUESTS, Abort, LiveEvent])
def test_a_message_says_in_the_code_who_tells_whom(kind: type[msgspec.Struct]) -> None:
    assert re.match(r"[a-z ,]+ -> [a-z ,]+: ", kind.__doc__ or "") or kind is LiveEvent
    assert kind is not LiveEvent or " -> " in (kind.__doc__ or "")


# --- reading the page --------------------------------------------------------------------------------------


def section_of(heading: str) -> str:
    assert PAGE.count(f"\n### {heading}\n") == 1, f"docs/events.md needs one section {heading}"
    return re.split(r"^##+ ", PAGE.split(f"\n### {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def tables(text: str) -> list[Fields]:
    """The tables of fields, in order."""
    found = re.findall(r"^\| field \|.+\n\|[-|]+\|\n((?:\|.+\n)+)", text + "\n", re.MULTILINE)
    return [
        {
            name: default == "required"
            for name, default in re.findall(r"^\| `(\w+)` \| .+? \| (.+?) \|", table, re.M)
        }
        for table in found
    ]


def fields(kind: type[msgspec.Struct]) -> Fields:
    return {field.name: field.required for field in msgspec.structs.fields(kind)}
