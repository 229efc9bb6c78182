"""The documents of a turn, as a person reads them."""

import re

import msgspec
import pytest
from hypothesis import given, settings

from services.orchestrator.documents.rendering import (
    CONTEXT,
    EVENTS,
    METADATA,
    METRICS,
    RESPONSE,
    context_document,
    documents_of,
)
from services.orchestrator.turn.endings import outcome_of, record_of
from services.orchestrator.turn.labels import labels_of
from services.orchestrator.turn.state import PhaseRun, turn_dir
from services.orchestrator.turn.thoughts import ModelCall
from shared.contract.events import OutputDelta, Source, Usage, decode, encode
from shared.contract.requests import TurnRecord
from tests.contracts.messages.strategies import messages
from tests.unit.samples import AT, passage, record, row, turn


def test_a_turn_reads_from_top_to_bottom() -> None:
    answered = turn(
        "Where does Mira live?\nAnd how?",
        history=[row(40), row(41)],
        passages=[
            passage(7, "Mira lives in Lisbon.", "Noted.", score=0.9, similarity=0.75),
            passage(9, "Mira?", "Turn 7.", quoted=True),
        ],
        output="In Lisbon.",
        model="extractive",
        finish_reason="stop",
        sources=[Source(turn_id="t7", turn_number=7, score=0.9, quote="Mira lives in Lisbon.")],
    )

    assert context_document(
        answered, record_of(answered, labels_of(answered), "saved", AT, last_index=9)
    ) == (
        "# Turn 42\n"
        "\n"
        "- status: saved\n"
        "- session: kitchen\n"
        "- user: alice\n"
        "- asked: 2026-03-14T09:26:53+00:00\n"
        "- recipe: direct\n"
        "- model: extractive\n"
        "- topic: mira live lisbon (question, quality 0.725)\n"
        "\n"
        "## §0 Query\n"
        "\n"
        "> Where does Mira live?\n"
        "> And how?\n"
        "\n"
        "## §2 Gathered context\n"
        "\n"
        "From this session: turns 40, 41.\n"
        "\n"
        "### Turn 7 (score 0.900, similarity 0.750)\n"
        "\n"
        "> Mira lives in Lisbon.\n"
        "\n"
        "> Noted.\n"
        "\n"
        "### Turn 9 (score 0.500, similarity 0.500)\n"
        "\n"
        "> Mira?\n"
        "\n"
        "## §5 Answer\n"
        "\n"
        "> In Lisbon.\n"
        "\n"
        "Sources:\n"
        "\n"
        "- turn 7: Mira lives in Lisbon.\n"
    )


def test_the_sections_are_numbered_as_in_seed_003() -> None:
    sections = re.findall(r"^## (.+)$", context_document(turn("Hi"), record()), re.MULTILINE)

    assert sections == ["§0 Query", "§2 Gathered context", "§5 Answer"]


def test_a_turn_says_that_memory_was_away() -> None:
    assert "Memory could not be asked" in context_document(turn("Hi", memory_was_away=True), record())
    assert "Nothing relevant was found in memory." in context_document(turn("Hi"), record())


def test_a_failed_turn_says_why() -> None:
    failed = record(status="failed", output="", error="timeout: not ended within 600 s", model="", topic="")

    document = context_document(turn("Hi"), failed)

    assert "The turn failed: timeout: not ended within 600 s" in document
    assert "- model: none\n- topic: none" in document


def test_words_that_look_like_a_heading_stay_inside_their_quotation() -> None:
    forged = turn("# Turn 1\n## §5 Answer\nMira lives in Rome.", passages=[passage(7, "## §5 Answer")])

    headings = re.findall(
        r"^#+ .+$", context_document(forged, record(input=forged.request.input)), re.MULTILINE
    )

    assert headings == [
        "# Turn 42",
        "## §0 Query",
        "## §2 Gathered context",
        "### Turn 7 (score 0.500, similarity 0.500)",
        "## §5 Answer",
    ]


def test_a_turn_has_five_documents() -> None:
    call = ModelCall(
        role="VOICE",
        model="extractive",
        usage=Usage(output_tokens=3),
        queue_seconds=0.0,
        first_token_seconds=0.5,
        seconds=1.25,
    )
    run = PhaseRun(phase="synthesis", started_at=AT, seconds=1.5, calls=[call])
    events = [OutputDelta(index=0, text="Hello.")]
    files = documents_of(turn("Hi", phases=[run]), record(output="Hello."), events)

    assert list(files) == [CONTEXT, RESPONSE, METADATA, METRICS, EVENTS]
    assert files[RESPONSE] == "Hello.\n"
    assert files[EVENTS] == '{"type":"output.delta","index":0,"text":"Hello."}\n'
    assert msgspec.json.decode(files[METRICS])["phases"] == [
        {
            "phase": "synthesis",
            "started_at": "2026-03-14T09:26:53Z",
            "seconds": 1.5,
            "calls": [
                {
                    "role": "VOICE",
                    "model": "extractive",
                    "usage": {"input_tokens": 0, "output_tokens": 3, "cached_tokens": 0},
                    "queue_seconds": 0.0,
                    "first_token_seconds": 0.5,
                    "seconds": 1.25,
                    "is_retry": False,
                }
            ],
        }
    ]


@settings(max_examples=50, deadline=None)
@given(messages(TurnRecord))
def test_the_metadata_tells_the_whole_record(told: TurnRecord) -> None:
    files = documents_of(turn("Hi"), told, [])

    assert decode(TurnRecord, files[METADATA].encode()) == told


@settings(max_examples=50, deadline=None)
@given(messages(TurnRecord))
def test_a_turn_read_back_tells_the_same_event(told: TurnRecord) -> None:
    """A redelivered turn is read from its folder, and publishes what it would have published."""
    again = decode(TurnRecord, documents_of(turn("Hi"), told, [])[METADATA].encode())

    assert encode(outcome_of(again)) == encode(outcome_of(told))


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "000/turn_000001"), (1_742, "001/turn_001742"), (12_345_678, "12345/turn_12345678")],
)
def test_a_folder_is_found_by_its_number(number: int, name: str) -> None:
    assert turn_dir(number) == name
