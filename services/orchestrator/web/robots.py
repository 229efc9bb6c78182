"""robots.txt: what a site lets programs read (RFC 9309), by Python's `urllib.robotparser`.

That parser knows no wildcards within paths. Packages that know them (protego) would refuse pages that are
read now.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.robotparser import RobotFileParser

from yarl import URL

AGENT: Final = "Pandora"
MOST_BYTES: Final = 512 * 1024
_KEPT_SECONDS: Final = 3600.0
_KEPT_SECONDS_WHEN_AWAY: Final = 300.0
_MOST_SITES: Final = 256

Fetch = Callable[[URL], Awaitable[tuple[int, bytes]]]
"""Returns status and body. Raises any error where there is no answer."""


class Robots:
    """Remembers the rules of each site for an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sites: OrderedDict[URL, tuple[float, RobotFileParser]] = OrderedDict()

    async def allows(self, url: URL, fetch: Fetch) -> bool:
        """A site without rules allows everything. A site whose server fails allows nothing. Raises as `fetch`
        does."""
        site = url.origin()
        kept = self._sites.get(site)
        if kept is None or kept[0] < self._clock():
            kept = await self._ask(site, fetch)
        return kept[1].can_fetch(AGENT, str(url))

    async def _ask(self, site: URL, fetch: Fetch) -> tuple[float, RobotFileParser]:
        status, body = await fetch(site / "robots.txt")
        rules = RobotFileParser()
        if status < 300:
            await asyncio.to_thread(rules.parse, body[:MOST_BYTES].decode("utf-8", "replace").splitlines())
        elif status >= 500:
            rules.parse(["User-agent: *", "Disallow: /"])
        else:
            rules.parse([])
        kept = (self._clock() + (_KEPT_SECONDS if status < 500 else _KEPT_SECONDS_WHEN_AWAY), rules)
        self._sites[site] = kept
        self._sites.move_to_end(site)
        while len(self._sites) > _MOST_SITES:
            self._sites.popitem(last=False)
        return kept
