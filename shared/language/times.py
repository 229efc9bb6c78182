"""The times that an English text names: "in May 2025", "last week", "3 days ago", "in summer".

Read by patterns, and not by dateparser 1.5.0, which was tried on 33 questions (2026-11-30, one core):
- `search_dates` takes 2,200 microseconds a question, these patterns take 40. Every search reads its question.
- It finds dates where there are none: "did we", "May I ask", "does Sun sell", "who sat", "can march".
- It answers with one moment, where a question means a week, a month, a season, or a month of any late year.
It knows no "last weekend" and no "in summer".
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

Period = tuple[datetime, datetime]
"""From, until; the end is no part of it."""

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""Their first month, north of the equator."""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {
    **{"a": 1, "an": 1, "one": 1, "two": 2, "a couple of": 2, "three": 3, "a few": 3, "four": 4, "five": 5},
    **{"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12},
}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_YEARS_BACK = 5
"""`in May` may be that of any of so many years: a user may not think of the last one."""

_month = "|".join(MONTHS)
_nth = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_year = r"(?P<year>(?:19|20)\d\d)"
_number = r"\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True))
_unit = r"(?P<unit>day|week|month|year)s?"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_year}-(?P<number>\d\d)(?:-(?P<day>\d\d))?\b",
        rf"\b{_nth}(?: of)? (?P<month>{_month})\b(?:,? {_year}\b)?",
        rf"\b(?P<month>{_month}) {_nth}\b(?:,? {_year}\b)?",
        rf"\b(?P<month>{_month})(?: of|,)? {_year}\b",
        rf"\b(?:in|of|since|during|last|this|early|late|mid|by|until|before|around) (?P<month>{_month})\b",
        rf"\b(?:in|of|since|during|from|by|around) {_year}\b",
    )
]
_DAYS_BACK = [
    (re.compile(rf"\b(?:{words})\b"), days)
    for words, days in (
        ("the day before yesterday", 2),
        ("yesterday|last night", 1),
        ("today|tonight|this morning|this afternoon|this evening", 0),
    )
]
_AGO = re.compile(rf"\b(?P<n>{_number}) {_unit} ago\b")
_PAST = re.compile(rf"\b(?:last|past|previous) (?P<n>{_number}) {_unit}\b")
_LAST = re.compile(r"\b(?P<which>last|past|previous|this) (?P<unit>week|weekend|month|year)\b")
_WEEKDAY = re.compile(rf"\b(?:on|last|this|since) (?P<day>{'|'.join(_DAYS)})\b")
_SEASON = re.compile(rf"\b(?:in|the|last|this|during) (?P<season>{'|'.join(SEASONS)})\b")

_TIME_TOLD = re.compile(
    rf"\b(?:{_month}|{'|'.join(_DAYS)}|yesterday|today|tonight|tomorrow|weekend|o'clock|(?:19|20)\d\d"
    r"|(?:last|next|this|past|every) (?:night|week|month|year|spring|summer|autumn|fall|winter|morning)"
    r"|(?:\w+ )?(?:days?|weeks?|months?|years?|hours?) (?:ago|before|later|old)|ago|since|recently"
    r"|(?:for|in|after) (?:\w+ ){1,2}(?:days?|weeks?|months?|years?)|\d{1,2}(?::\d\d)? ?[ap]\.?m\b)",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b(?:when|(?:what|which) (?:date|day|month|year|week|season)|what time|how long"
    r"|how many (?:hours|days|weeks|months|years)|how (?:old|often|recently))\b",
    re.IGNORECASE,
)
_NOW = re.compile(
    r"\b(?:now|nowadays|currently|current|latest|newest|most recent(?:ly)?|these days|at present"
    r"|at the moment|still|any ?more|lately|recently)\b",
    re.IGNORECASE,
)


def tells_time(text: str) -> bool:
    """Whether a message says when something is, was or will be."""
    return _TIME_TOLD.search(text) is not None


def asks_for_time(question: str) -> bool:
    return _WHEN.search(question) is not None


def asks_for_present(question: str) -> bool:
    """Whether a question is about what is so now."""
    return _NOW.search(question) is not None


def periods_of(question: str, now: datetime) -> Iterator[Period]:
    """The times that it names, in UTC: several where a month has no year. `last week` counts from `now`."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    dated = next((match for pattern in _DATES if (match := pattern.search(question))), None)
    return _dated(dated, today) if dated is not None else _relative(question.lower(), today)


def _relative(lowered: str, today: datetime) -> Iterator[Period]:
    for pattern, back in _DAYS_BACK:
        if pattern.search(lowered):
            yield _days(today - timedelta(days=back), 1)
            return
    if match := _AGO.search(lowered):
        days = _count(match["n"]) * _UNIT_DAYS[match["unit"]]
        about = max(1, days // 4)
        yield _days(today - timedelta(days=days + about), 2 * about + 1)
    elif match := _PAST.search(lowered):
        days = _count(match["n"]) * _UNIT_DAYS[match["unit"]]
        yield _days(today - timedelta(days=days), days + 1)
    elif match := _LAST.search(lowered):
        yield _last(match["unit"], match["which"], today)
    elif match := _WEEKDAY.search(lowered):
        back = (today.weekday() - _DAYS.index(match["day"]) - 1) % 7 + 1
        yield _days(today - timedelta(days=back), 1)
    elif match := _SEASON.search(lowered):
        for year in _years(today):
            yield _months(year, SEASONS[match["season"]], 3)


def _dated(match: re.Match[str], today: datetime) -> Iterator[Period]:
    found = match.groupdict()
    years = [int(found["year"])] if found.get("year") else _years(today)
    month = int(found["number"]) if found.get("number") else 0
    if found.get("month"):
        month = MONTHS.index(found["month"].lower()) + 1
    day = int(found["day"]) if found.get("day") else 0
    for year in years:
        if not month:
            yield _months(year, 1, 12)
        elif month <= 12 and 1 <= day <= monthrange(year, month)[1]:
            yield _days(datetime(year, month, day, tzinfo=UTC), 1)
        elif month <= 12:
            yield _months(year, month, 1)


def _years(today: datetime) -> list[int]:
    return [today.year - back for back in range(min(_YEARS_BACK, today.year - 1))]


def _months(year: int, month: int, months: int) -> Period:
    """So many months from the first of this one."""
    end = year * 12 + month - 1 + months
    return datetime(year, month, 1, tzinfo=UTC), datetime(end // 12, end % 12 + 1, 1, tzinfo=UTC)


def _days(begin: datetime, days: int) -> Period:
    return begin, begin + timedelta(days=days)


def _last(unit: str, which: str, today: datetime) -> Period:
    """The week, weekend, month or year before this one, or this one."""
    back = 0 if which == "this" else 1
    monday = today - timedelta(days=today.weekday())
    match unit:
        case "week":
            return _days(monday - timedelta(days=7 * back), 7)
        case "weekend":
            return _days(monday - timedelta(days=2 if back else -5), 2)
        case "month":
            first = today.year * 12 + today.month - 1 - back
            return _months(first // 12, first % 12 + 1, 1)
        case _:
            return _months(today.year - back, 1, 12)


def _count(written: str) -> int:
    return int(written) if written.isdigit() else _NUMBERS[written]
