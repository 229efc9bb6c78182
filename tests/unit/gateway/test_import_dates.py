"""Dates as people and programs write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.imports.dates import BadDate, read_time
from services.gateway.memory.moments import read_moment
from shared.contract.errors import Refused

AFTERNOON = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
MIDNIGHT = datetime(2023, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-08T13:56:00Z",
        "2023-05-08T13:56",
        "2023-05-08 15:56:00+02:00",
        "20230508T135600Z",
        "1:56 pm on 8 May, 2023",
        " 1:56 pm on 8 May, 2023 ",
        "May 8, 2023, 1:56\N{NARROW NO-BREAK SPACE}PM",
        "May 8th, 2023 13:56",
        "8 May 2023 at 1:56 pm",
        "Monday, May 8, 2023 13:56",
        "2023/05/08 (Mon) 13:56",
        "05/08/2023 13:56",
        "5/8/23 13:56",
        "Mon, 08 May 2023 15:56:00 +0200",
        "Mon, 8 May 2023 13:56:00 GMT",
        "Mon, 8 May 2023 13:56:00 +0000 (UTC)",
        "8 May 2023 09:56 EDT",
        "1683554160",
        "1683554160000",
        1683554160,
        1683554160.0,
        1683554160000,
    ],
)
def test_an_afternoon_in_may(text: str | int | float) -> None:
    assert read_time(text) == AFTERNOON
    assert read_time(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    ["8 May 2023", "May 8th, 2023", "8th of May 2023", "2023-05-08", "20230508", "2023-W19-1", "2023/5/8"],
)
def test_a_date_alone_is_its_beginning(text: str) -> None:
    assert read_time(text) == MIDNIGHT


@pytest.mark.parametrize(
    ("text", "month", "day"),
    [("03/04/2023", 3, 4), ("13/04/2023", 4, 13), ("3.4.2023", 3, 4), ("3 April 2023", 4, 3)],
)
def test_what_may_be_either_is_read_month_first(text: str, month: int, day: int) -> None:
    assert read_time(text) == datetime(2023, month, day, tzinfo=UTC)


@pytest.mark.parametrize(("text", "year"), [("8 May 23", 2023), ("8 May 68", 2068), ("8 May 69", 1969)])
def test_a_year_of_two_digits_is_the_same_whenever_it_is_read(text: str, year: int) -> None:
    assert read_time(text).year == year


def test_fractions_and_times_before_1970_are_kept() -> None:
    assert read_time(-1) == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert read_time(1683554160.25).microsecond == 250_000
    assert read_time("1683554160.25").microsecond == 250_000
    assert read_time("2023-05-08T13:56:00.123456789Z").microsecond == 123_456


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("tomorrow", "no date"),
        ("noon", "no date"),
        ("2023-02-30", "no date"),
        ("Monday", "day, month and year"),
        ("8 May", "day, month and year"),
        ("May 2023", "day, month and year"),
        ("13:56", "day, month and year"),
        ("2023", "day, month and year"),
        ("8 May 2023 13:56 XYZ", "XYZ"),
        ("0001-01-01T00:00:00+14:00", "range"),
        ("9" * 30, "no date"),
        ("8 May 2023 " * 20, "at most 128"),
        (1e300, "range"),
        (10**18, "range"),
        (-(10**30), "range"),
    ],
)
def test_what_is_no_whole_date_is_said(value: str | float, why: str) -> None:
    with pytest.raises(BadDate, match=why):
        read_time(value)


@given(st.text(max_size=40) | st.from_regex(r"[0-9 :/.+\-TZamp()]{1,30}", fullmatch=True))
def test_any_text_is_a_time_in_utc_or_a_bad_date(text: str) -> None:
    try:
        read = read_time(text)
    except BadDate:
        return
    assert read.utcoffset() == timedelta(0)


@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - the zones are below
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - the zones are below
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=5.5))]),
    )
)
def test_iso_8601_and_rfc_2822_are_read_as_they_were_written(at: datetime) -> None:
    assert read_time(at.isoformat()) == at
    assert read_time(at.strftime("%a, %d %b %Y %H:%M:%S %z")) == at.replace(microsecond=0)


# --- the bounds of a search ---


def test_a_day_begins_and_ends() -> None:
    assert read_moment("2023-05-08", "since") == MIDNIGHT
    assert read_moment("2023-05-08", "until", ends=True) == MIDNIGHT + timedelta(days=1, microseconds=-1)
    assert read_moment("2023-05-08T13:56", "until", ends=True) == AFTERNOON
    assert read_moment("2023-05-08T15:56+02:00", "since") == AFTERNOON


@pytest.mark.parametrize("text", ["8 May 2023", "", "now", "2023-13-01", "0001-01-01T00:00+14:00"])
def test_a_bound_that_is_not_iso_8601_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"since: .* ISO 8601"):
        read_moment(text, "since")
