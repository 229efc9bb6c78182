"""What the bench makes of its measurements, and the texts that it measures with; no speed is asserted."""

from itertools import islice
from pathlib import Path

import msgspec

from bench.engines.instant import InstantEngine, short_reply
from bench.index.embedder import Took, has_collapsed
from bench.running.figures import Figure, percentile, plain, ratio, table, write_results
from bench.running.sentences import sentences
from services.inference.ports import Delta, Finished
from shared.contract.requests import Generate, Message


def test_a_ratio_is_the_median_of_its_pairs() -> None:
    figure = ratio("x", [50, 10, 60], [100, 10, 100], "1/s", goal=0.6)

    assert figure.value == 0.6
    assert figure.met is True


def test_no_goal_is_met_where_the_baseline_collapsed() -> None:
    figure = ratio("x", [60], [60], "1/s", goal=0.6, collapsed=True)

    assert figure.met is False
    assert "60 1/s, collapsed" in table([figure])


def test_an_embedder_that_got_its_cores_is_a_baseline() -> None:
    assert not has_collapsed([Took(texts=800, seconds=10.0, processor_seconds=9.0)] * 2)


def test_an_embedder_that_waited_for_its_cores_is_none() -> None:
    assert has_collapsed([Took(texts=800, seconds=20.0, processor_seconds=9.0)] * 2)


def test_an_embedder_that_is_slower_than_can_be_is_none() -> None:
    """Such as one whose threads wait for each other."""
    assert has_collapsed([Took(texts=80, seconds=10.0, processor_seconds=10.0)])


def test_a_time_meets_its_goal_from_below() -> None:
    assert plain("x", 7.9, "ms", goal=8.0).met is True
    assert plain("x", 8.1, "ms", goal=8.0).met is False
    assert plain("x", 8.1, "ms").met is None


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0


def test_results_hold_the_five_fields_that_machines_read(tmp_path: Path) -> None:
    write_results([Figure(name="a", value=1.5, unit="ratio", goal=0.6), plain("b", 2, "ms")], tmp_path / "r")

    assert msgspec.json.decode((tmp_path / "r").read_bytes()) == [
        {"name": "a", "value": 1.5, "unit": "ratio", "goal": 0.6, "met": True},
        {"name": "b", "value": 2.0, "unit": "ms", "goal": None, "met": None},
    ]


def test_results_of_one_part_leave_the_others_as_they_are(tmp_path: Path) -> None:
    write_results([plain("a.x", 1, "ms"), plain("a.y", 2, "ms"), plain("b.x", 3, "ms")], tmp_path / "r")

    write_results([plain("a.x", 9, "ms")], tmp_path / "r")

    results = msgspec.json.decode((tmp_path / "r").read_bytes())
    assert [(result["name"], result["value"]) for result in results] == [("b.x", 3), ("a.x", 9)]


def test_the_table_says_what_was_missed() -> None:
    lines = table([plain("late", 9.0, "ms", goal=8.0)]).splitlines()

    assert lines[0].startswith("| figure")
    assert "<= 8 ms" in lines[2]
    assert "**no**" in lines[2]


def test_sentences_are_long_enough_all_different_and_the_same_for_a_seed() -> None:
    texts = list(islice(sentences(seed=1), 2_000))

    assert all(8 <= len(text.split()) <= 40 for text in texts)
    assert len(set(texts)) == len(texts)
    assert texts == list(islice(sentences(seed=1), 2_000))


async def test_the_instant_engine_answers_the_question_alone() -> None:
    prompt = [Message("user", "<memory>\nolder words\n</memory>\n\nWhere is Mira?")]
    request = Generate(request_id="r", messages=prompt, stream_to="turn.stream.r")

    parts = [part async for part in InstantEngine(short_reply).generate(request)]

    assert "".join(p.text for p in parts if isinstance(p, Delta)) == "".join(short_reply("Where is Mira?"))
    assert isinstance(parts[-1], Finished)
