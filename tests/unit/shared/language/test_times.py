"""Which times a text names."""

from datetime import UTC, datetime

import pytest

from shared.language.times import periods_of, tells_time

NOW = datetime(2025, 8, 14, 10, tzinfo=UTC)
"""A Thursday."""


def days(question: str) -> list[tuple[str, str]]:
    return [(f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}") for begin, end in periods_of(question, NOW)]


@pytest.mark.parametrize(
    ("query", "periods"),
    [
        ("What did she do on 7 May 2023?", [("2023-05-07", "2023-05-08")]),
        ("What did she do on May 7th, 2023?", [("2023-05-07", "2023-05-08")]),
        ("What was on 2024-02-29?", [("2024-02-29", "2024-03-01")]),
        ("What was in 2024-02?", [("2024-02-01", "2024-03-01")]),
        ("What did we plan for May 2023?", [("2023-05-01", "2023-06-01")]),
        ("What did we do in December 2024?", [("2024-12-01", "2025-01-01")]),
        ("Who came in 2024?", [("2024-01-01", "2025-01-01")]),
        ("Who came yesterday?", [("2025-08-13", "2025-08-14")]),
        ("Who came the day before yesterday?", [("2025-08-12", "2025-08-13")]),
        ("Who came last week?", [("2025-08-04", "2025-08-11")]),
        ("Who came last weekend?", [("2025-08-09", "2025-08-11")]),
        ("Who came this month?", [("2025-08-01", "2025-09-01")]),
        ("Who came last month?", [("2025-07-01", "2025-08-01")]),
        ("Who came last year?", [("2024-01-01", "2025-01-01")]),
        ("Who came on Thursday?", [("2025-08-07", "2025-08-08")]),
        ("Who came last Wednesday?", [("2025-08-13", "2025-08-14")]),
        ("Who came in the past three days?", [("2025-08-11", "2025-08-15")]),
        ("Who came two weeks ago?", [("2025-07-28", "2025-08-04")]),
        ("May I ask who came?", []),
        ("Who can march for 3 days?", []),
    ],
)
def test_the_time_that_a_question_names(query: str, periods: list[tuple[str, str]]) -> None:
    assert days(query) == periods


def test_a_month_without_a_year_may_be_that_of_any_late_year() -> None:
    assert days("Who came in June?")[:2] == [("2025-06-01", "2025-07-01"), ("2024-06-01", "2024-07-01")]
    assert days("Who came in summer?")[0] == ("2025-06-01", "2025-09-01")
    assert days("Who came last winter?")[1] == ("2024-12-01", "2025-03-01")


def test_a_day_that_is_in_no_calendar_is_read_as_its_month() -> None:
    assert days("What was on 30 February 2025?") == [("2025-02-01", "2025-03-01")]
    assert days("What was on 2025-13-01?") == []


@pytest.mark.parametrize(
    "text", ["I left two days ago.", "On Friday!", "Since 2019.", "At 9 am", "next month"]
)
def test_some_messages_tell_a_time(text: str) -> None:
    assert tells_time(text)


def test_others_do_not() -> None:
    assert not tells_time("I keep bees in Lisbon.")
