"""How long a page may be used before it is read again, by its headers.

The four rules below are written here. HTTP cache packages are built around a store of responses; only the
time is needed here, with bounds of its own. `email.utils` reads the date.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_FRESH: Final = timedelta(days=7)
_LEAST_FRESH, _MOST_FRESH = timedelta(hours=1), timedelta(days=30)


def expiry_of(headers: Mapping[str, str], now: datetime) -> datetime:
    """By the server's headers, from an hour to thirty days; a week where they do not say it."""
    return now + min(max(_fresh_for(headers, now), _LEAST_FRESH), _MOST_FRESH)


def _fresh_for(headers: Mapping[str, str], now: datetime) -> timedelta:
    control = headers.get("Cache-Control", "").lower()
    if re.search(r"\bno-(store|cache)\b", control):
        return _LEAST_FRESH
    age = re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})", control)
    if age:
        return timedelta(seconds=int(age[1]))
    try:
        expires = parsedate_to_datetime(headers["Expires"])
        return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) - now
    except KeyError:
        return _FRESH
    except (ValueError, TypeError, OverflowError):  # "0" and the like: it has expired already.
        return _LEAST_FRESH
