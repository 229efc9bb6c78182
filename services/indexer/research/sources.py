"""How reliable domains are, by the pages that they gave so far."""

from collections.abc import Collection, Sequence
from typing import Protocol

from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.events import Event, SourceObserved
from shared.contract.requests import MOST_DOMAINS, GetSources, SourceRow, SourcesReply

NEUTRAL = 0.5
"""The reliability of a domain of which nothing is known."""


class SourceTable(Protocol):
    """Successes and failures by domain."""

    async def count(self, event: SourceObserved) -> None:
        """Once, however often it comes."""
        ...

    async def get(self, domains: Sequence[str]) -> dict[str, SourceRow]: ...


class Sources:
    """Counts successes and failures of domains, and scores them."""

    def __init__(self, table: SourceTable) -> None:
        self._table = table

    async def on_source_observed(self, event: SourceObserved) -> Sequence[Event]:
        await self._table.count(event)
        return []

    @endpoint
    async def get(self, request: GetSources) -> SourcesReply:
        if not 1 <= len(request.domains) <= MOST_DOMAINS:
            raise Refused(422, f"domains: name 1 to {MOST_DOMAINS} of them", "domains")
        known = await self._table.get(request.domains)
        return SourcesReply(sources=[known.get(one) or SourceRow(domain=one) for one in request.domains])

    async def scores(self, domains: Collection[str]) -> dict[str, float]:
        """The reliability of each, 0 to 1."""
        known = await self._table.get(sorted(domains)) if domains else {}
        return {one: known[one].reliability_score if one in known else NEUTRAL for one in domains}
