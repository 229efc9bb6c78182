"""What turns took, added up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.usage.figures import BUCKETS, Figure, Labels, figures_of
from shared.contract.events import PhaseTiming, Timings, Usage
from tests.unit.samples import AT, saved

SYNTHESIS = PhaseTiming(
    phase="synthesis", seconds=1.5, role="VOICE", model="qwen", input_tokens=40, output_tokens=6, calls=1
)


def figure(values: list[float]) -> Figure:
    added = Figure()
    for value in values:
        added.add(value)
    return added


def test_a_turn_tells_of_itself_and_of_each_phase() -> None:
    gather = PhaseTiming(phase="gather", seconds=0.25, retries=1)
    turn = saved(
        1,
        usage=Usage(input_tokens=41, output_tokens=6),
        timings=Timings(total_seconds=2.0, first_token_seconds=0.5),
        phases=[gather, SYNTHESIS],
    )

    figures = {(one.name, one.phase, one.role): added.sum for one, added in figures_of([turn]).items()}

    assert figures == {
        ("turn_seconds", "", ""): 2.0,
        ("first_token_seconds", "", ""): 0.5,
        ("input_tokens", "", ""): 41,
        ("output_tokens", "", ""): 6,
        ("cached_tokens", "", ""): 0,
        ("quality", "", ""): 0.5,
        ("phase_seconds", "gather", ""): 0.25,
        ("retries", "gather", ""): 1,
        ("phase_seconds", "synthesis", "VOICE"): 1.5,
        ("retries", "synthesis", "VOICE"): 0,
        ("calls", "synthesis", "VOICE"): 1,
        ("input_tokens", "synthesis", "VOICE"): 40,
        ("output_tokens", "synthesis", "VOICE"): 6,
        ("cached_tokens", "synthesis", "VOICE"): 0,
    }


def test_turns_of_one_day_recipe_and_model_are_added_up() -> None:
    turns = [saved(n, phases=[SYNTHESIS]) for n in (1, 2)] + [saved(3, recipe="standard", phases=[SYNTHESIS])]

    figures = figures_of(turns)

    labels = Labels(AT.date(), "phase_seconds", "direct", "synthesis", "VOICE", "qwen")
    assert (figures[labels].count, figures[labels].sum) == (2, 3.0)
    assert sum(added.count for one, added in figures.items() if one.name == "phase_seconds") == 3


@pytest.mark.parametrize(("values", "middle"), [([0.0], 0.0), ([0.0] * 9 + [5.0], 0.0), ([2.5], 2.5)])
def test_a_percentile_of_few_values_is_one_of_them(values: list[float], middle: float) -> None:
    assert figure(values).percentile(0.5) == middle


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=60), st.sampled_from([0.05, 0.5, 0.95, 1.0]))
def test_a_percentile_is_told_to_within_8_percent(values: list[float], share: float) -> None:
    exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]

    assert figure(values).percentile(share) == pytest.approx(exact, rel=0.08)


@given(st.lists(st.floats(-1e3, 1e12), max_size=20))
def test_any_value_is_counted(values: list[float]) -> None:
    added = figure(values)

    assert sum(added.buckets) == added.count == len(values)
    assert len(added.buckets) == BUCKETS
