"""How reliable domains are, by what they gave so far."""

from collections.abc import Collection, Sequence
from typing import Protocol

from shared.endpoints import Endpoint
from shared.errors import Refused
from shared.events import Event, SourceObserved
from shared.replies import MOST_DOMAINS, GetSources, SourceRow, SourcesReply

NEUTRAL = 0.5
"""The reliability of what nothing is known of."""


class SourceTable(Protocol):
    """Successes and failures by domain."""

    async def count(self, event: SourceObserved) -> None:
        """Once, however often it comes."""
        ...

    async def get(self, domains: Sequence[str]) -> dict[str, SourceRow]: ...


class Sources:
    """Counts what domains give, and says how reliable that makes them."""

    def __init__(self, table: SourceTable) -> None:
        self._table = table

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(GetSources, lambda request, send: self.get(request))]

    async def on_source_observed(self, event: SourceObserved) -> Sequence[Event]:
        await self._table.count(event)
        return []

    async def get(self, request: GetSources) -> SourcesReply:
        if not 1 <= len(request.domains) <= MOST_DOMAINS:
            raise Refused(422, f"domains: name 1 to {MOST_DOMAINS} of them", "domains")
        known = await self._table.get(request.domains)
        return SourcesReply(sources=[known.get(one) or SourceRow(domain=one) for one in request.domains])

    async def scores(self, domains: Collection[str]) -> dict[str, float]:
        """Of each of them, 0 to 1."""
        known = await self._table.get(sorted(domains)) if domains else {}
        return {one: known[one].reliability_score if one in known else NEUTRAL for one in domains}
