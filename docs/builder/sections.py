"""The sections of docs/events.md: one for each message, one for each struct that messages share."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Final

import msgspec

from docs.builder.docstrings import meaning_of
from docs.builder.entries import Entry, Struct, all_entries, durables_of, example_of, intro_of
from docs.builder.markdown import anchor_of, linked, table
from docs.builder.schemas import structs_in
from docs.builder.types_in_words import in_words, types_of
from shared.contract import headers
from shared.contract.events import Event, LiveEvent
from shared.contract.requests import Problem
from shared.contract.ways import Way, constants_of, text_of

REQUESTS: Final = (
    "## Requests\n\nCore NATS request/reply in the queue group `pandora`. Each service is a NATS micro "
    "service (`nats micro ls`). A request names the user that it is asked for; the answer has nothing of any "
    "other user's.\n"
)
_COLUMNS = 110


def heading_of(entry: Entry) -> str:
    return f"`turn.stream.<turn_id>`: `{entry.name}`" if entry.family == "live" else f"`{entry.name}`"


def way_in_words(way: Way) -> str:
    return linked(f"{', '.join(way.senders)} -> {', '.join(way.receivers)}: {way.text}")


def sections_of_stored_events(entries: list[Entry]) -> Iterator[str]:
    for module, some in groupby(entries, key=lambda entry: entry.module):
        yield f"## Stored events: {_title(module)}\n\n{linked(intro_of(module))}\n"
        for entry in some:
            kind = _event(entry)
            readers = ", ".join(f"`{name}`" for name in durables_of(entry.name))
            yield f"### {heading_of(entry)}\n\n{way_in_words(entry.way)}\n"
            read = f" Read by {readers}." if readers else ""
            yield f"Stream {', '.join(entry.streams)}, type `{kind.ce_type()}`.{read}\n"
            yield from _body(kind, entry.golden)


def sections_of_live_events(entries: list[Entry]) -> Iterator[str]:
    yield f"## Live events\n\n{linked(intro_of(entries[0].module))}\n"
    yield "All of them have these fields:\n"
    yield _fields(LiveEvent)
    for entry in entries:
        yield f"### {heading_of(entry)}\n\n{way_in_words(entry.way)}\n"
        yield _example(entry.golden)
        yield _fields(entry.message or LiveEvent, without=LiveEvent.__struct_fields__)


def sections_of_requests(entries: list[Entry]) -> Iterator[str]:
    yield REQUESTS
    texts = constants_of(headers.__name__)
    yield f"A refusal carries the header `{headers.STATUS}`. {texts['STATUS']} "
    yield f"`{headers.RETRY_IN}`: {texts['RETRY_IN']} Its body:\n"
    yield _fields(Problem)
    for module, some in groupby(entries, key=lambda entry: entry.module):
        yield f"## Requests: {_title(module)}\n\n{linked(intro_of(module))}\n"
        for entry in some:
            yield from _request(entry)


def sections_of_structs() -> Iterator[str]:
    yield "## Parts of messages\n"
    for kind in shared_structs():
        yield f"### {kind.__name__}\n\n{linked(text_of(kind))}\n"
        answered = next((entry for entry in all_entries() if entry.reply is kind), None)
        if answered is not None:
            yield _example(f"{answered.golden}.reply")
        yield _fields(kind)


@cache
def shared_structs() -> list[Struct]:
    """Those that stand inside of messages, or answer more than one request. By name."""
    messages = [entry.message for entry in all_entries() if entry.message is not None]
    answers = Counter(entry.reply for entry in all_entries() if entry.reply is not None)
    shared = {kind for kind, times in answers.items() if times > 1 and kind.__struct_fields__}
    for kind in [*messages, *answers]:
        shared |= structs_in(kind)
    return sorted(shared - set(messages), key=lambda kind: kind.__name__)


def _request(entry: Entry) -> Iterator[str]:
    yield f"### {heading_of(entry)}\n\n{way_in_words(entry.way)}\n"
    if entry.addresses != [entry.name]:
        shown = " or ".join(f"`{one.replace('{', '<').replace('}', '>')}`" for one in entry.addresses)
        yield f"Sent to {shown}.\n"
    if entry.message is not None:
        yield from _body(entry.message, entry.golden)
    if entry.reply in shared_structs():
        yield f"Answer: {_link(entry.reply)}.\n"
    elif entry.reply is not None:
        text = linked(text_of(entry.reply))
        yield f"Answer, {entry.reply.__name__}.{f' {text}' if text else ''}\n"
        yield from _body(entry.reply, f"{entry.golden}.reply")
    if entry.sign_of_life is not None:
        name, tag = entry.sign_of_life.__name__, entry.sign_of_life.__struct_config__.tag
        yield f'Before the answer come signs of life, {name} (`"type": "{tag}"`):\n'
        yield _fields(entry.sign_of_life)


def _body(kind: Struct, golden: str) -> Iterator[str]:
    if not kind.__struct_fields__:
        yield "No fields: `{}`.\n"
        return
    yield _example(golden)
    yield _fields(kind)


def _example(golden: str) -> str:
    """The golden file, as many fields in a line as it has room for."""
    body = example_of(golden)
    lines = [""]
    for name, value in body.items():
        item = f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        if lines[-1] and len(lines[-1]) + len(item) > _COLUMNS:
            lines.append("")
        lines[-1] += f", {item}" if lines[-1] else item
    return "```json\n{" + ",\n ".join(lines) + "}\n```\n"


def _fields(kind: Struct, without: Sequence[str] = ()) -> str:
    types = types_of(kind)
    rows = [
        [f"`{field.name}`", in_words(types[field.name], _link), _default(field), meaning_of(kind, field.name)]
        for field in msgspec.structs.fields(kind)
        if field.name not in without
    ]
    return table(["field", "type", "default", "meaning"], rows) if rows else ""


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if callable(field.default_factory) else field.default
    if value is msgspec.UNSET:
        return "left out"
    if isinstance(value, msgspec.Struct):
        return "all at their defaults"
    return f"`{msgspec.json.encode(value).decode()}`"


def _link(kind: Struct) -> str:
    named = next((entry for entry in all_entries() if entry.message is kind), None)
    name = kind.__name__ if named is None else named.name
    return f"[{name}](#{anchor_of(name)})"


def _title(module: str) -> str:
    return module.rpartition(".")[2].replace("_", " ")


def _event(entry: Entry) -> type[Event]:
    if entry.message is None or not issubclass(entry.message, Event):
        raise TypeError(f"{entry.name} is no stored event")
    return entry.message
