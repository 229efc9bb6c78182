"""Dates and times as people, programs and exports write them. A time without a zone is UTC.

dateutil reads the words. dateparser (1.5) was tried in its place, in its strictest settings. It refuses
`20230508`, guesses `8 May 2023 13:56 IST` to be Israel's time, where India's is as likely, and takes 1.6 to
3.7 ms for a date, dateutil 0.2 ms: too long for each line of an import.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from dateutil import parser

LONGEST_DATE: Final = 128
"""Characters. No real date is longer."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_BELOW = 1e11
"""A larger Unix time is in milliseconds: as seconds it would be after the year 5138."""
_UNIX = re.compile(r"\d{9,10}(\.\d+)?|\d{13}")
_REMARK = re.compile(r"\([^()]*\)")
"""A weekday, or the name of the zone after its offset (RFC 2822)."""
_ONE_DAY, _OTHER_DAY = datetime(2004, 1, 1), datetime(2008, 2, 2)  # noqa: DTZ001 - without a zone
"""dateutil takes from these what a text leaves out. Two results that differ show that it left out a part of
the date. They have no zone, so that a text without a zone gets none: only `_in_utc` says that it is UTC."""
_HOURS_OF_ZONES = {
    **{"UTC": 0, "UT": 0, "GMT": 0, "Z": 0},
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
}
"""Those of RFC 2822. Others, like IST and BST, are the names of several zones."""


class BadDate(ValueError):
    """Not a time, or an ambiguous one. The message says why."""


class _Parts(parser.parserinfo):
    def convertyear(self, year: int, century_specified: bool = False) -> int:
        """As POSIX does. dateutil goes by today's year: it reads the same file otherwise in another year."""
        if century_specified or year >= 100:
            return year
        return year + (1900 if year >= 69 else 2000)


_PARTS = _Parts()


def read_time(value: str | int | float) -> datetime:
    """Reads `8 May 2023`, `1:56 pm on 8 May, 2023`, ISO 8601, RFC 2822, Unix seconds or milliseconds as UTC.

    03/04/2023 is read month first, and day first only where there is no such month. Raises BadDate.
    """
    try:
        if isinstance(value, str):
            return _read_text(" ".join(value.split()))
        return _of_unix(value)
    except OverflowError as error:
        raise BadDate(f"{value!r} is out of range") from error


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
    """Returns the zone of a time. The zone of this machine never counts."""
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
