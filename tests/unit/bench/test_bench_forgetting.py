"""What the bench of forgetting makes of its measurements; no speed is asserted."""

from bench.index.forgetting import Times, figures_of
from bench.running.figures import Figure


def _figures() -> dict[str, Figure]:
    sides = {
        "1k": Times(forgotten=[0.5, 0.4, 0.6], before=[0.01] * 100, meanwhile=[0.01] * 98 + [0.02] * 2),
        "1m": Times(forgotten=[0.8, 0.9, 5.0], before=[0.02] * 100, meanwhile=[0.05] * 100),
    }
    return {figure.name: figure for figure in figures_of(sides)}


def test_growth_is_the_median_of_a_store_against_that_of_the_smallest() -> None:
    figures = _figures()

    assert (figures["forgetting.growth_1k"].value, figures["forgetting.growth_1k"].met) == (1.0, True)
    assert (figures["forgetting.growth_1m"].value, figures["forgetting.growth_1m"].met) == (1.8, False)
    assert figures["forgetting.p50_1m"].value == 900


def test_searches_meanwhile_are_held_against_those_before_in_the_same_store() -> None:
    figures = _figures()

    assert figures["forgetting.search_meanwhile_p50_1k"].value == 1.0
    slow = figures["forgetting.search_meanwhile_p99_1k"]
    assert (slow.value, slow.met) == (2.0, True)
    assert figures["forgetting.search_meanwhile_p99_1m"].met is False
