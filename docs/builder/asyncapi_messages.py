"""The messages of docs/asyncapi.json: name, headers, payload and example of each."""

from collections.abc import Iterable
from typing import Final

from docs.builder.entries import Entry, Struct, example_of
from docs.builder.schemas import REFERENCE, Json, headers_schema
from shared.bus.durables import DURABLES
from shared.contract import headers, subjects
from shared.contract.events import LIVE_EVENTS, Event
from shared.contract.requests import Problem

PLAIN: Final[dict[str, Json]] = {
    subjects.DEAD_LETTERS: {
        "name": "GivenUpMessage",
        "headers": {"$ref": REFERENCE.format(name="DeadLetterHeaders")},
        "payload": {"description": "The message's body as it came."},
    },
    subjects.PADDING: {"name": "Noise", "contentType": "application/octet-stream", "payload": {}},
    subjects.ALIVE: {"name": "ProcessId", "contentType": "text/plain", "payload": {"type": "string"}},
    subjects.BUCKETS: {"name": "BucketValue", "payload": {"type": "object"}},
}
"""Bodies that no struct of the contract describes."""


def names_of(entry: Entry) -> list[str]:
    """The messages that go by the entry's subject."""
    if entry.message is not None:
        return [entry.message.__name__]
    match entry.addresses[0]:
        case subjects.JOINING:
            return [kind.__name__ for kind in LIVE_EVENTS]
        case subjects.REPLAYS:
            return list(dict.fromkeys(one.event.__name__ for one in DURABLES if one.replay_subject))
        case address:
            return [PLAIN[address]["name"]]


def answers_of(entry: Entry) -> list[Struct]:
    """Signs of life, the answer, a refusal."""
    return [kind for kind in (entry.sign_of_life, entry.reply, Problem) if kind] if entry.reply else []


def messages_of(entries: Iterable[Entry]) -> dict[str, Json]:
    """All of them, by name."""
    messages = {one["name"]: one for one in PLAIN.values()}
    for entry in entries:
        if entry.message is not None:
            messages[entry.message.__name__] = _sent(entry, entry.message)
        for kind in answers_of(entry):
            messages.setdefault(kind.__name__, _body(kind))
        if entry.reply is not None:
            messages[entry.reply.__name__] = _body(entry.reply, f"{entry.golden}.reply")
    refusal = {**_body(Problem, "refused"), "headers": headers_schema([headers.STATUS, headers.RETRY_IN])}
    return {**messages, Problem.__name__: refusal}


def _sent(entry: Entry, kind: Struct) -> Json:
    message = {**_body(kind, entry.golden), "summary": entry.way.text.partition("\n\n")[0]}
    if issubclass(kind, Event):
        message |= {"headers": {"$ref": REFERENCE.format(name="EventHeaders")}, "x-ce-type": kind.ce_type()}
    return message


def _body(kind: Struct, golden: str = "") -> Json:
    body: Json = {"name": kind.__name__, "payload": {"$ref": REFERENCE.format(name=kind.__name__)}}
    return body | ({"examples": [{"payload": example_of(golden)}]} if golden else {})
