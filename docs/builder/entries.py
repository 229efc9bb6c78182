"""All that travels on the bus: each message with its subject, who sends it, who gets it, the answer."""

import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from shared.bus.durables import DURABLES
from shared.bus.streams import STREAMS
from shared.contract import subjects
from shared.contract.events import LIVE_EVENTS, STORED_EVENTS
from shared.contract.requests import Abort, Request, reply_type
from shared.contract.ways import TO_ALL, Way, addresses_of, constants_of, paragraphs, text_of, way_of
from shared.contract.ways import requests as all_requests

Family = Literal["stored", "live", "request", "plain"]
Struct = type[msgspec.Struct]
REQUEST_MODULES: Final = (
    *("turns", "unended_turns", "originals", "documents", "sessions", "conversations", "files", "search"),
    *("recall", "history", "messages", "memories", "research", "forgetting", "upkeep", "inference"),
    *("embeddings", "dead_letters"),
)
"""In the order in which a reader meets them."""
_GOLDEN: Final = Path(__file__).parents[2] / "tests" / "contracts" / "golden"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of message on one subject."""

    name: str
    """The subject; of a live event its type."""
    family: Family
    module: str
    """Where the code declares it."""
    addresses: list[str]
    """The subjects that it is sent to. What stands in braces is one part of the subject."""
    way: Way
    message: Struct | None = None
    """None: its body is no JSON of the contract."""
    golden: str = ""
    """The name of its golden file."""
    reply: Struct | None = None
    sign_of_life: Struct | None = None
    to_all: bool = False
    """Each process of the receiving service gets it."""

    @property
    def streams(self) -> list[str]:
        """Those that store it."""
        return streams_of(self.addresses[0])


def stored_events() -> list[Entry]:
    return [_entry(kind, kind.subject, "stored") for kind in STORED_EVENTS]


def live_events() -> list[Entry]:
    tags = {str(kind.__struct_config__.tag): kind for kind in LIVE_EVENTS}
    return [
        _entry(kind, tag, "live", addresses=[subjects.LIVE], golden=f"turn.stream.{tag}")
        for tag, kind in tags.items()
    ]


def requests() -> list[Entry]:
    kinds = sorted(all_requests(), key=_place)
    entries = [_request(kind) for kind in kinds]
    to_all = [
        _entry(kind, kind.subject, "request", reply=reply, to_all=True) for kind, reply in TO_ALL.items()
    ]
    last = max(index for index, entry in enumerate(entries) if entry.module == Abort.__module__)
    return [*entries[: last + 1], *to_all, *entries[last + 1 :]]


def plain_subjects() -> list[Entry]:
    """Those of `shared/contract/subjects.py`, but for the live events."""
    texts = constants_of(subjects.__name__)
    return [
        Entry(
            name=getattr(subjects, name).replace("{", "<").replace("}", ">"),
            family="plain",
            module=subjects.__name__,
            addresses=[getattr(subjects, name)],
            way=way_of(text),
        )
        for name, text in texts.items()
        if name != "LIVE"
    ]


@cache
def all_entries() -> tuple[Entry, ...]:
    return (*stored_events(), *live_events(), *requests(), *plain_subjects())


def _request(kind: type[Request[Any]]) -> Entry:
    name = kind.subject.removesuffix(".*")
    return _entry(
        kind,
        kind.subject,
        "request",
        addresses=addresses_of(kind),
        golden=name,
        reply=reply_type(kind),
        sign_of_life=kind.sign_of_life,
        to_all=kind.to_all,
    )


def _entry(kind: Struct, name: str, family: Family, **more: Any) -> Entry:
    """Its name is its address and the name of its golden file, where `more` does not say otherwise."""
    named = {"addresses": [name], "golden": name}
    return Entry(
        name=name,
        family=family,
        module=kind.__module__,
        way=way_of(text_of(kind)),
        message=kind,
        **named | more,
    )


def _place(kind: type[Request[Any]]) -> tuple[int, int]:
    """By module, then as the module defines them."""
    module = kind.__module__.rpartition(".")[2]
    if module not in REQUEST_MODULES:
        raise ValueError(f"where do the requests of {module} stand? Add {module!r} to REQUEST_MODULES")
    return REQUEST_MODULES.index(module), inspect.getsourcelines(kind)[1]


def streams_of(address: str) -> list[str]:
    """The streams that store what is sent there."""
    return [
        str(stream.name)
        for stream in STREAMS
        if any(matches(subject, address) for subject in stream.subjects or ())
    ]


def matches(pattern: str, address: str) -> bool:
    """Whether a subject with wildcards covers an address. A part in braces may be anything."""
    wanted, given = pattern.split("."), address.split(".")
    for place, part in enumerate(wanted):
        if part == ">":
            return len(given) > place
        if place >= len(given) or (part not in ("*", given[place]) and not given[place].startswith("{")):
            return False
    return len(wanted) == len(given)


def durables_of(subject: str) -> list[str]:
    """The durables that read a stored event."""
    return [durable.name for durable in DURABLES if durable.subject == subject]


def example_of(golden: str) -> dict[str, Any]:
    """What the golden file of that name has."""
    body: dict[str, Any] = json.loads((_GOLDEN / f"{golden}.json").read_text())
    return body


def intro_of(module: str) -> str:
    return paragraphs(sys.modules[module].__doc__ or "")
