"""Dates and times as people, programs and exports write them. A time without a zone is UTC."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final

from dateutil import parser

LONGEST_DATE: Final = 128
"""Characters; no date that anybody writes is longer."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_BELOW = 1e11
"""A Unix time from here on is in milliseconds: as seconds it would be after the year 5138."""
_UNIX = re.compile(r"\d{9,10}(\.\d+)?|\d{13}")
_REMARK = re.compile(r"\([^()]*\)")
"""A weekday, or the name of the zone behind its offset (RFC 2822)."""
_ONE_DAY, _OTHER_DAY = datetime(2004, 1, 1), datetime(2008, 2, 2)  # noqa: DTZ001  # only lend missing parts
_HOURS_OF_ZONES = {
    **{"UTC": 0, "UT": 0, "GMT": 0, "Z": 0},
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
}
"""Those of RFC 2822. Others (IST, BST ...) are different zones to different people."""


class BadDate(ValueError):
    """Not a time that can be told for sure; the message says why."""


class _Parts(parser.parserinfo):
    def convertyear(self, year: int, century_specified: bool = False) -> int:
        """As POSIX has it. dateutil would go by today's year, and read a file otherwise in other years."""
        if century_specified or year >= 100:
            return year
        return year + (1900 if year >= 69 else 2000)


_PARTS = _Parts()


def read_time(value: str | int | float) -> datetime:
    """`8 May 2023`, `1:56 pm on 8 May, 2023`, ISO 8601, RFC 2822, Unix seconds or milliseconds -> UTC.

    03/04/2023 is read month first, and day first only where it cannot be otherwise. Raises BadDate.
    """
    try:
        if isinstance(value, str):
            return _read_text(" ".join(value.split()))
        return _of_unix(value)
    except OverflowError as error:
        raise BadDate(f"{value!r} is out of range") from error


def read_moment(text: str, *, ends: bool = False) -> datetime:
    """ISO 8601 -> UTC. A date alone is its beginning, or where it `ends`. Raises BadDate."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            return _in_utc(datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise BadDate(
                f"{text[:LONGEST_DATE]!r} is no ISO 8601 time, like 2023-05-08T13:56:00Z"
            ) from error
    return datetime.combine(day, time.max if ends else time.min, UTC)


def _of_unix(value: int | float) -> datetime:
    seconds = value if abs(value) < _SECONDS_BELOW else value / 1000
    return _EPOCH + timedelta(seconds=seconds)


def _read_text(text: str) -> datetime:
    if len(text) > LONGEST_DATE:
        raise BadDate(f"a date has at most {LONGEST_DATE} characters")
    if _UNIX.fullmatch(text):
        return _of_unix(float(text))
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        return _in_utc(_read_english(text))


def _read_english(text: str) -> datetime:
    plain = _REMARK.sub(" ", text)
    try:
        one, other = (
            parser.parse(plain, parserinfo=_PARTS, default=default, tzinfos=_zone)
            for default in (_ONE_DAY, _OTHER_DAY)
        )
    except BadDate:
        raise
    except (ValueError, ArithmeticError) as error:  # OverflowError is one of the latter
        raise BadDate(f"{text!r} is no date that can be read") from error
    if one != other:
        raise BadDate(f"{text!r} does not say day, month and year")
    return one


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """The zone of a time: never the one that this machine happens to be in."""
    if name is None and offset is None:
        return None
    if offset is not None and (name is None or offset):
        return timezone(timedelta(seconds=offset))
    hours = _HOURS_OF_ZONES.get((name or "").upper())
    if hours is None:
        raise BadDate(f"the time zone {name!r} is not known; give it as an offset, like +02:00")
    return timezone(timedelta(hours=hours))


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
