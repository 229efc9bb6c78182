"""docs/events.md and docs/asyncapi.json say what the code says, and the code says enough."""

import importlib
import re
from pathlib import Path

import jsonschema
import pytest

from docs.builder import asyncapi
from docs.builder.abilities import by_subject
from docs.builder.docstrings import meaning_of
from docs.builder.entries import Entry, Struct, all_entries, durables_of, matches
from docs.builder.files import files
from docs.builder.schemas import structs_in
from shared.bus.durables import DURABLES
from shared.bus.endpoints import Endpoint, endpoints_of
from shared.bus.streams import STREAMS
from shared.contract.requests import (
    Abort,
    ControlHere,
    ForgetCached,
    GenerateHere,
    HasRoom,
    PrefixHeld,
    Problem,
    Request,
    StillGenerating,
)
from shared.contract.subject_abilities import ABILITY_OF

ROOT = Path(__file__).parents[2]
ENTRIES = all_entries()
ADDRESSES = {address for entry in ENTRIES for address in entry.addresses}
SERVICES = {"gateway", "orchestrator", "indexer", "inference"}
DOCUMENT = asyncapi.document()


def _messages() -> list[Struct]:
    """Every struct that travels, and what stands inside of it."""
    sent = {kind for one in ENTRIES for kind in (one.message, one.reply, one.sign_of_life) if kind}
    inside = {part for kind in sent for part in structs_in(kind)}
    return sorted({Problem, *sent, *inside}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize(("path", "text"), list(files()), ids=lambda value: getattr(value, "name", ""))
def test_a_page_that_is_made_from_the_code_is_in_step_with_it(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run `make docs`"


@pytest.mark.parametrize("kind", _messages())
def test_the_code_says_what_each_field_means(kind: Struct) -> None:
    assert [field for field in kind.__struct_fields__ if not meaning_of(kind, field)] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.name))
def test_the_code_says_who_sends_and_who_receives(entry: Entry) -> None:
    assert set(entry.way.senders) <= SERVICES | {"anyone"}
    assert set(entry.way.receivers) <= SERVICES | {"anyone"}


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if entry.family == "stored"], ids=lambda one: one.name
)
def test_a_stored_event_has_one_stream_and_its_durables_are_of_services_that_receive_it(entry: Entry) -> None:
    readers = {name.partition("-")[0] for name in durables_of(entry.name)}

    assert len(entry.streams) == 1
    assert readers <= set(entry.way.receivers)


def test_every_subject_of_a_stream_and_of_a_durable_is_documented() -> None:
    stored = [subject for stream in STREAMS for subject in stream.subjects or ()]
    read = [subject for durable in DURABLES for subject in durable.subjects]

    assert [one for one in [*stored, *read] if not any(matches(one, address) for address in ADDRESSES)] == []


def test_every_endpoint_of_the_services_is_a_documented_request_and_the_other_way_round() -> None:
    asked = {(entry.message, entry.sign_of_life) for entry in ENTRIES if entry.family == "request"}
    answered = {(one.request, one.request.sign_of_life if one.takes_send else None) for one in _endpoints()}

    # No endpoint of a service answers these: all processes hear them, or one that is named.
    to_all = {(Abort, None), (ForgetCached, None), (PrefixHeld, None)}
    to_one = {(ControlHere, None), (HasRoom, None), (GenerateHere, StillGenerating)}
    assert asked == answered | to_all | to_one


def test_every_request_is_documented() -> None:
    assert {entry.message for entry in ENTRIES} >= set(Request.__subclasses__())


def test_every_subject_has_an_ability_and_nothing_else_has() -> None:
    assert set(ABILITY_OF) == set(by_subject(ENTRIES))


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["messages"]))
def test_an_example_of_the_document_is_what_its_schema_says(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    schema = jsonschema.Draft7Validator({**message["payload"], "components": DOCUMENT["components"]})

    for example in message.get("examples", []):
        schema.validate(example["payload"])


def test_a_durable_is_named_after_its_service_and_event() -> None:
    for durable in DURABLES:
        assert re.fullmatch(r"[a-z]+-[a-z]+-[a-z]+", durable.name)
        assert durable.name.endswith(durable.subject.replace(".", "-"))
        assert len(durable.name) < 32


def _endpoints() -> list[Endpoint]:
    """Those that the services' classes declare."""
    paths = [path for path in (ROOT / "services").rglob("*.py") if "@endpoint" in path.read_text()]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    modules = [importlib.import_module(name) for name in names]
    classes = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    return endpoints_of(*(kind for kind in classes if kind.__module__ in names))
