"""docs/events.md: tables of all subjects, then a short section for each message."""

from collections.abc import Iterable, Iterator
from typing import Final

from nats.js.api import DiscardPolicy, StreamConfig

from docs.builder.entries import Entry, intro_of, live_events, plain_subjects, requests, stored_events
from docs.builder.markdown import anchor_of, linked, table
from docs.builder.sections import (
    heading_of,
    sections_of_live_events,
    sections_of_requests,
    sections_of_stored_events,
    sections_of_structs,
    way_in_words,
)
from docs.builder.types_in_words import NAMED
from shared.bus import streams as declared_streams
from shared.bus.durables import DURABLES
from shared.bus.streams import STREAMS
from shared.contract import headers
from shared.contract.ways import constants_of

INTRO: Final = """# Subjects, events and requests

All that travels on the bus, for those who write a client or read the code. `make docs` writes this page from
the classes in `shared/contract/` and the streams in `shared/bus/streams.py`: change those, not the page.
[asyncapi.json](asyncapi.json) says the same to programs (AsyncAPI 3). [nats.md](nats.md) has a client that
runs, [delivery.md](delivery.md) what is promised.

Bodies are JSON. Readers ignore fields that they do not know. A message without a required field, or with a
field of another type, is never handled: a stored event goes to `dead.<durable>`, a request is refused with
400. A change that would break a reader takes a new version, never a changed meaning. The examples are the
files in `tests/contracts/golden/`. Its folder `earlier/` has what was sent before a message grew: that is
still read.

Internal subjects, those between Pandora's own processes, may change with any version.
"""
EVENT_HEADERS: Final = (
    "## Headers\n\nEvery stored event carries these. None of them is required of a client. `Nats-Msg-Id` is "
    "worth setting: a message that is published twice is then stored once.\n"
)
DEAD_LETTERS: Final = (
    "A dead letter has its message's body, the sender's headers without JetStream's own, and:\n"
)
REPLAYS: Final = (
    "A replay publishes the body and the sender's headers again, with the message id "
    "`<durable>:replay:<sequence of the letter>`: to `replay.<durable>`, or to `turn.requested`. Then the "
    "letter is removed. [operations.md](operations.md#dead-letters) says how to do it.\n"
)


def page() -> str:
    """The whole text."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    stored, live, asked, plain = stored_events(), live_events(), requests(), plain_subjects()
    yield INTRO
    yield "## All subjects\n"
    yield from _index("Stored events", stored, "stream")
    yield from _index("Live events, on `turn.stream.<turn_id>`", live)
    yield from _index("Requests", asked, "answer")
    yield from _index("The bus's own", plain, "stream")
    yield from _forms()
    yield from _streams()
    yield from _headers()
    yield from sections_of_stored_events(stored)
    yield from sections_of_live_events(live)
    yield from sections_of_requests(asked)
    yield f"## The bus's own subjects\n\n{linked(intro_of(plain[0].module))}\n"
    for entry in plain:
        yield f"### {heading_of(entry)}\n\n{way_in_words(entry.way)}\n"
    yield from sections_of_structs()


def _index(title: str, entries: list[Entry], last: str = "") -> Iterator[str]:
    """`last` is the last column: `stream`, `answer` or none."""
    first = "type" if entries[0].family == "live" else "subject"
    yield f"### {title}\n"
    yield table(
        [first, "from", "to", "what", *([last] if last else [])],
        [
            [
                f"[`{entry.name}`](#{anchor_of(heading_of(entry))})",
                ", ".join(entry.way.senders),
                ", ".join(entry.way.receivers),
                entry.way.text.split("\n\n")[0],
                *({"stream": [", ".join(entry.streams)], "answer": [_name_of_answer(entry)]}.get(last, [])),
            ]
            for entry in entries
        ],
    )


def _name_of_answer(entry: Entry) -> str:
    return "" if entry.reply is None else entry.reply.__name__


def _forms() -> Iterator[str]:
    yield "## Forms\n\nIds become parts of subjects, so their alphabet is small.\n"
    rows = []
    for alias, name in NAMED.items():
        meta = alias.__metadata__[0]
        pattern = meta.pattern.removesuffix(r"$(?!\n)").removeprefix("^")
        most = "" if meta.max_length is None else f", at most {meta.max_length:,} characters"
        rows.append([name, f"`{pattern}`{most}"])
    yield table(["type", "form, as a regular expression"], rows)


def _streams() -> Iterator[str]:
    yield f"## Streams and durables\n\n{linked(intro_of(declared_streams.__name__))}\n"
    yield table(
        ["stream", "subjects", "kept", "the same id is stored once", "what"],
        [
            [
                str(stream.name),
                ", ".join(f"`{subject}`" for subject in stream.subjects or ()),
                _kept(stream),
                f"within {_period(stream.duplicate_window)}" if stream.duplicate_window else "",
                str(stream.description),
            ]
            for stream in STREAMS
        ],
    )
    yield table(
        ["durable", "reads", "of"],
        [
            [f"`{durable.name}`", ", ".join(f"`{subject}`" for subject in durable.subjects), durable.stream]
            for durable in DURABLES
        ],
    )


def _kept(stream: StreamConfig) -> str:
    most_messages, most_bytes = stream.max_msgs or -1, stream.max_bytes or -1
    parts = [
        _period(stream.max_age) if stream.max_age else "",
        "the last value of each key" if stream.max_msgs_per_subject == 1 else "",
        f"at most {most_messages:,} messages" if most_messages > 0 else "",
        f"at most {most_bytes // 1024**2} MiB" if most_bytes > 0 else "",
        "then it takes no more" if stream.discard is DiscardPolicy.NEW and most_messages > 0 else "",
    ]
    return ", ".join(filter(None, parts)) or "until removed"


def _period(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} seconds"


def _headers() -> Iterator[str]:
    yield EVENT_HEADERS
    yield _headers_table(headers.OF_EVENTS)
    yield DEAD_LETTERS
    yield _headers_table(headers.OF_DEAD_LETTERS)
    yield REPLAYS


def _headers_table(names: Iterable[str]) -> str:
    by_value = {getattr(headers, name): text for name, text in constants_of(headers.__name__).items()}
    return table(["header", "value"], [[f"`{name}`", by_value[name]] for name in names])
