"""docs/asyncapi.json: the whole bus as an AsyncAPI 3 document.

FastStream makes such documents of its subscribers. What it says of the eight durables is taken over. It
sees no requests and no live events, and knows no replies, no parameters of subjects and no msgspec structs:
the rest is made here.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI

from docs.builder.asyncapi_messages import answers_of, messages_of, names_of
from docs.builder.entries import Entry, all_entries, matches
from docs.builder.schemas import Json, headers_schema, schemas_of
from shared.bus.answering import QUEUE_GROUP
from shared.bus.deliveries.consumer import subscribe
from shared.bus.durables import DURABLES, ORCHESTRATOR_TURN_REQUESTED
from shared.bus.streams import STREAMS
from shared.contract import headers, subjects
from shared.contract.events import Event
from shared.process.version import VERSION

REPLIES: Final = "replies"
"""The channel of all answers. It has no address of its own: each request names its inbox."""
DESCRIPTION: Final = (
    "Everything that travels over NATS between Pandora's services and their clients. "
    "docs/events.md says the same to people."
)
_PARAMETERS: Final = {
    "turn_id": "The turn.",
    "engine": "INFERENCE_NAME of the workers.",
    "worker": "The id of the inference worker.",
    "holder": "The id of the orchestrator that runs the turn.",
    "key": "The key, in URL-safe base64.",
}


def document() -> Json:
    """Every subject, message and stream, who sends and who receives."""
    entries = all_entries()
    kinds = [kind for entry in entries for kind in (entry.message, *answers_of(entry)) if kind]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Pandora", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "127.0.0.1:4222", "protocol": "nats", "description": "NATS_URL."}},
        "channels": {**_channels(entries), REPLIES: _replies(entries)},
        "operations": _operations(entries),
        "components": {
            "messages": messages_of(entries),
            "schemas": {
                **schemas_of(dict.fromkeys(kinds)),
                "EventHeaders": headers_schema(headers.OF_EVENTS),
                "DeadLetterHeaders": headers_schema(headers.OF_DEAD_LETTERS),
            },
        },
    }


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


# --- channels ---


def id_of(address: str) -> str:
    """`inference.generate.{engine}` -> `inference.generate.engine`."""
    return re.sub(r"[{}$]", "", address)


def _channels(entries: Iterable[Entry]) -> dict[str, Json]:
    channels: dict[str, Json] = {}
    for entry in entries:
        for address in entry.addresses:
            channel = channels.setdefault(id_of(address), {"address": address, "messages": {}})
            for name in names_of(entry):
                channel["messages"][name] = _reference("components", "messages", name)
            if parameters := re.findall(r"{(\w+)}", address):
                channel["parameters"] = {name: _parameter(name, address) for name in parameters}
            if entry.streams:
                channel["x-streams"] = entry.streams
    return channels


def _parameter(name: str, address: str) -> Json:
    if name in _PARAMETERS:
        return {"description": _PARAMETERS[name]}
    place = address.split(".").index(f"{{{name}}}")
    known = [subject for stream in STREAMS for subject in stream.subjects or () if matches(subject, address)]
    values = [subject.split(".")[place] for subject in known]
    if address == subjects.DEAD_LETTERS:
        values = [durable.name for durable in (ORCHESTRATOR_TURN_REQUESTED, *DURABLES)]
    return {"description": f"The {name}.", "enum": values}


def _replies(entries: Iterable[Entry]) -> Json:
    names = dict.fromkeys(kind.__name__ for entry in entries for kind in answers_of(entry))
    return {
        "address": None,
        "description": "The inbox that the request names.",
        "messages": {name: _reference("components", "messages", name) for name in names},
    }


# --- operations ---


def _operations(entries: Iterable[Entry]) -> dict[str, Json]:
    """One for each service, direction and channel, and one for each durable."""
    operations: dict[str, Json] = {}
    for entry in entries:
        for address in entry.addresses:
            for action, services in (("send", entry.way.senders), ("receive", entry.way.receivers)):
                for service in services:
                    if action == "receive" and service in _readers_of(address):
                        continue  # Said below, with its durable.
                    name = f"{service}.{action}.{id_of(address)}"
                    operation = operations.setdefault(name, _operation(action, service, address, entry))
                    operation["messages"] += [_message_in(address, one) for one in names_of(entry)]
    return {**operations, **_durables()}


def _operation(action: str, service: str, address: str, entry: Entry) -> Json:
    operation: Json = {
        "action": action,
        "channel": _reference("channels", id_of(address)),
        "tags": [{"name": service}],
        "messages": [],
    }
    if entry.family != "live":
        operation["summary"], _, more = entry.way.text.partition("\n\n")
        operation |= {"description": more} if more else {}
    if entry.reply is not None:
        operation["reply"] = _reply(entry)
        if action == "receive" and not entry.to_all:
            operation["bindings"] = {"nats": {"queue": QUEUE_GROUP}}
    return operation


def _reply(entry: Entry) -> Json:
    names = [kind.__name__ for kind in answers_of(entry)]
    return {
        "address": {"location": "$message.header#/reply", "description": "The inbox of the request."},
        "channel": _reference("channels", REPLIES),
        "messages": [_reference("channels", REPLIES, "messages", name) for name in names],
    }


def _readers_of(subject: str) -> set[str]:
    """The services that read it by a durable."""
    return {durable.name.partition("-")[0] for durable in DURABLES if durable.subject == subject}


def _durables() -> dict[str, Json]:
    """What FastStream says of its subscribers, with what it leaves out: the stream and all subjects."""
    channels = _channels_of_faststream()
    return {
        durable.name: {
            "action": "receive",
            "channel": _reference("channels", id_of(channels[durable.name]["address"])),
            "summary": channels[durable.name]["description"],
            "tags": [{"name": durable.name.partition("-")[0]}],
            "messages": [_message_in(durable.subject, durable.event.__name__)],
            "x-durable": durable.name,
            "x-stream": durable.stream,
            "x-filter-subjects": durable.subjects,
        }
        for durable in DURABLES
    }


def _channels_of_faststream() -> dict[str, Json]:
    """By the names of the durables."""
    broker = NatsBroker()
    for durable in DURABLES:

        async def take(event: Event) -> None:
            """Described here, and never called."""

        subscribe(broker, durable, take, service=durable.name.partition("-")[0])
    channels: dict[str, Json] = AsyncAPI(broker).to_specification().to_jsonable()["channels"]
    return channels


def _message_in(address: str, name: str) -> Json:
    return _reference("channels", id_of(address), "messages", name)


def _reference(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}
