"""What is understood of a question without a model: who it is about, when, and what is worth looking for.

Nothing here decides alone. What is read becomes small signals of `ranking.py`, so a wrong guess costs little.
"""

import re
from calendar import monthrange
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

Period = tuple[datetime, datetime]
"""From, until; the end is no part of it."""

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""Their first month, north of the equator."""
_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "a couple of": 2,
    "three": 3,
    "a few": 3,
    "four": 4,
    "five": 5,
}
_NUMBERS |= {"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_YEARS_BACK = 5
"""`in May` may be that of any of so many years: whoever asks may not think of the last one."""

_ROLES = frozenset({"user", "human", "me", "i", "you", "assistant", "ai", "bot", "system", "model", "other"})
"""Speakers whose name is no name."""
_NAMES_AND_WORDS = frozenset(
    {*_MONTHS, *_SEASONS, "art", "bill", "chance", "dawn", "drew", "faith", "grace", "grant"}
    | {"hope", "hunter", "joy", "mark", "mason", "pat", "rob", "rose", "sue", "will"}
)
"""Written with a capital they are names; as the first word only before an apostrophe."""

_month = "|".join(_MONTHS)
_nth = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_year = r"(?P<year>(?:19|20)\d\d)"
_number = r"\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True))
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
_AGO = re.compile(rf"\b(?P<n>{_number}) (?P<unit>day|week|month|year)s? ago\b", re.IGNORECASE)
_PAST = re.compile(
    rf"\b(?:last|past|previous) (?P<n>{_number}) (?P<unit>day|week|month|year)s?\b", re.IGNORECASE
)
_LAST = re.compile(
    r"\b(?P<which>last|past|previous|this) (?P<unit>week|weekend|month|year)\b",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(rf"\b(?:on|last|this|since) (?P<day>{'|'.join(_DAYS)})\b", re.IGNORECASE)
_SEASON = re.compile(rf"\b(?:in|the|last|this|during) (?P<season>{'|'.join(_SEASONS)})\b", re.IGNORECASE)
_DAYS_BACK = {
    "the day before yesterday": 2,
    **dict.fromkeys(("yesterday", "last night"), 1),
    **dict.fromkeys(("today", "tonight", "this morning", "this afternoon", "this evening"), 0),
}

_POLITE = re.compile(
    r"\b(?:(?:can|could|would|will) you (?:please )?(?:remind|tell) me"
    r"|do you (?:still )?(?:remember|recall|know)"
    r"|i(?:'m| am| was) (?:looking back at|looking back|thinking back to|going through|trying to remember)"
    r"|i (?:remember|recall|think) (?:that )?(?=you|we|i)|please"
    r"|(?:in |from |about |at |during )?our (?:previous|earlier|last|past) (?:conversation|chat|talk)s?)\b",
    re.IGNORECASE,
)
"""What is said around a question, and would find whatever else was said politely."""
_ME = re.compile(r"\b(?:i|me|my|mine|myself|i'm|i've|i'd|i'll)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|yours|you've|you'd|assistant)\b(?!')", re.IGNORECASE)
_TO_YOU = re.compile(
    r"\b(?:do you think|(?:tell|told|ask|asked|give|gave|given|show|showed|send|sent|to|with|for) you)\b",
    re.IGNORECASE,
)
"""There it is not the assistant who said something."""
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
_TIME_TOLD = re.compile(
    rf"\b(?:{_month}|{'|'.join(_DAYS)}|yesterday|today|tonight|tomorrow|weekend|o'clock|(?:19|20)\d\d"
    r"|(?:last|next|this|past|every) (?:night|week|month|year|spring|summer|autumn|fall|winter|morning)"
    r"|(?:\w+ )?(?:days?|weeks?|months?|years?|hours?) (?:ago|before|later|old)|ago|since|recently"
    r"|(?:for|in|after) (?:\w+ ){1,2}(?:days?|weeks?|months?|years?)|\d{1,2}(?::\d\d)? ?[ap]\.?m\b)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
_ASIDE_WORDS = 3
"""So much may be said before a question ("Oh, nice!") that is only a question all the same."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question, as far as it is understood."""

    text: str
    text_for_meaning: str
    """Without people's names: the vector of a name lies near everything that this person was called in."""
    text_for_words: str
    """With them: the words of a message begin with its speaker."""
    speakers: frozenset[str] = frozenset()
    """Of the known speakers those that it names, as they were given."""
    about_me: bool = False
    about_assistant: bool = False
    periods: tuple[Period, ...] = ()
    """The times that it names; several where a month has no year."""
    wants_time: bool = False
    wants_newest: bool = False
    """It asks for what is so now."""


def understand(query: str, known_speakers: Collection[str], now: datetime) -> Asked:
    """`now`: when it is asked; `last week` is counted from there."""
    bare = _POLITE.sub(" ", query)
    bare = " ".join(bare.split()) if len(bare.split()) > 2 else query
    named = {
        speaker: pattern for speaker in known_speakers if (pattern := _named(speaker, query)) is not None
    }
    about_assistant = _YOU.search(_TO_YOU.sub(" ", bare)) is not None
    return Asked(
        text=query,
        text_for_meaning=_without(bare, named.values()),
        text_for_words=bare,
        speakers=frozenset(named),
        about_me=not about_assistant and _ME.search(bare) is not None,
        about_assistant=about_assistant,
        periods=tuple(periods_of(query, now)),
        wants_time=_WHEN.search(query) is not None,
        wants_newest=_NOW.search(query) is not None,
    )


def is_question(text: str) -> bool:
    """Whether a message only asks, and so hardly ever holds an answer."""
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text)]
    told = [sentence for sentence in sentences if "?" not in sentence]
    return "?" in text and sum(len(sentence.split()) for sentence in told) <= _ASIDE_WORDS


def tells_time(text: str) -> bool:
    """Whether a message says when something is, was or will be."""
    return _TIME_TOLD.search(text) is not None


def periods_of(query: str, now: datetime) -> Iterator[Period]:
    """The times that it names; those of the calendar in UTC."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    dated = next((match for pattern in _DATES if (match := pattern.search(query))), None)
    if dated is not None:
        yield from _dated(dated, today)
        return
    lowered = query.lower()
    for words, days in _DAYS_BACK.items():
        if re.search(rf"\b{words}\b", lowered):
            yield _days(today - timedelta(days=days), 1)
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
            yield _month_of(year, _SEASONS[match["season"]], months=3)


def _dated(match: re.Match[str], today: datetime) -> Iterator[Period]:
    found = match.groupdict()
    years = [int(found["year"])] if found.get("year") else _years(today)
    month = int(found["number"]) if found.get("number") else 0
    if found.get("month"):
        month = _MONTHS.index(found["month"].lower()) + 1
    day = int(found["day"]) if found.get("day") else 0
    for year in years:
        if not month:
            yield datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        elif month <= 12 and day and 1 <= day <= monthrange(year, month)[1]:
            yield _days(datetime(year, month, day, tzinfo=UTC), 1)
        elif month <= 12:
            yield _month_of(year, month)


def _years(today: datetime) -> list[int]:
    return [today.year - back for back in range(min(_YEARS_BACK, today.year - 1))]


def _month_of(year: int, month: int, *, months: int = 1) -> Period:
    past = year * 12 + month - 1 + months
    return datetime(year, month, 1, tzinfo=UTC), datetime(past // 12, past % 12 + 1, 1, tzinfo=UTC)


def _days(begin: datetime, days: int) -> Period:
    return begin, begin + timedelta(days=days)


def _last(unit: str, which: str, today: datetime) -> Period:
    """The week, the month or the year before this one, or this one."""
    back = 0 if which == "this" else 1
    monday = today - timedelta(days=today.weekday())
    match unit:
        case "week":
            return _days(monday - timedelta(days=7 * back), 7)
        case "weekend":
            return _days(monday - timedelta(days=2 if back else -5), 2)
        case "month":
            first = today.year * 12 + today.month - 1 - back
            return _month_of(first // 12, first % 12 + 1)
        case "year":
            year = today.year - back
            return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        case _:
            return _days(today, 1)


def _count(written: str) -> int:
    return int(written) if written.isdigit() else _NUMBERS[written]


def _named(speaker: str, query: str) -> re.Pattern[str] | None:
    """What of the query is this speaker's name: all of it, or its first word."""
    whole = speaker.strip()
    if not whole or whole.casefold() in _ROLES:
        return None
    names = [whole]
    if (first := whole.split()[0]) != whole and len(first) > 2:
        names.append(first)
    pattern = re.compile(
        rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?:['\u2019]s?)?(?!\w)", re.IGNORECASE
    )
    for match in pattern.finditer(query):
        if names[-1].casefold() not in _NAMES_AND_WORDS:
            return pattern
        if match[0][0].isupper() and (match.start() > 0 or match[0][-2] in "'\u2019"):
            return pattern
    return None


def _without(text: str, names: Collection[re.Pattern[str]]) -> str:
    """The text itself where nothing else is left of it."""
    bare = text
    for pattern in names:
        bare = pattern.sub(" ", bare)
    bare = re.sub(r"\s+([?.,!;])", r"\1", " ".join(bare.split()))
    return bare if re.search(r"\w", bare) else text
