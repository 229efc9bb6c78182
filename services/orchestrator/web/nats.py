"""Publishes to the indexer what was read on the web, and asks it for known pages."""

import logging
from typing import Final
from uuid import UUID, uuid5

from services.orchestrator.documents.rendering import CONTEXT
from services.orchestrator.tools.ports import Clock, Page
from services.orchestrator.tools.tool import Caller
from services.orchestrator.turn.state import turn_dir
from shared.bus.connection import Bus
from shared.contract.derivation import derive
from shared.contract.errors import Refused, Transient
from shared.contract.events import Event, ResearchSaved, SourceObserved
from shared.contract.requests import FreshResearch

log = logging.getLogger(__name__)
_NAMESPACE: Final = UUID("0c2a7f52-51c5-4f0e-8f1e-7d5d0b5f3a90")
_LONGEST_URL, _LONGEST_TEXT, _LONGEST_TITLE, _LONGEST_TOPIC = 2048, 65_536, 512, 256
_UNJUDGED: Final = 0.5
"""The neutral value: the quality of a page is not known yet."""


class BusResearchLog:
    """ResearchLog at the indexer. A page has one id for each user, also where it is read again."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def known(self, user: str, url: str) -> Page | None:
        address = url.partition("#")[0]
        try:
            found = (await self._bus.ask(FreshResearch(user=user, url=address, limit=1))).pages
        except (Transient, Refused) as error:
            log.warning("a page is read without asking whether it is known: %s", error)
            return None
        return derive(Page, found[0]) if found else None

    async def read(self, page: Page, caller: Caller, *, about: str) -> None:
        if len(page.url) <= _LONGEST_URL:
            await self._publish(_saved(page, caller, about))
        await self._publish(self._observed(page.domain, caller, page.url, ok=True))

    async def failed(self, domain: str, brief: str, caller: Caller) -> None:
        await self._publish(self._observed(domain, caller, brief, ok=False, reason=brief[:128]))

    def _observed(
        self, domain: str, caller: Caller, what: str, *, ok: bool, reason: str = ""
    ) -> SourceObserved:
        """A turn that runs again sends the same observation id again."""
        return SourceObserved(
            observation_id=_id(caller.turn_id, domain, what),
            user=caller.user,
            domain=domain,
            ok=ok,
            at=self._clock(),
            reason=reason,
            turn_id=caller.turn_id,
        )

    async def _publish(self, event: Event) -> None:
        try:
            await self._bus.publish(event)
        except (Transient, Refused) as error:
            log.warning("%s is not stored: %s", event.subject, error)


def _saved(page: Page, caller: Caller, about: str) -> ResearchSaved:
    return ResearchSaved(
        research_id=_id(caller.user, page.url),
        user=caller.user,
        url=page.url,
        domain=page.domain,
        title=page.title[:_LONGEST_TITLE],
        text=page.text[:_LONGEST_TEXT],
        primary_topic=(about or page.title)[:_LONGEST_TOPIC],
        quality_overall=_UNJUDGED,
        confidence_current=_UNJUDGED,
        fetched_at=page.fetched_at,
        expires_at=page.expires_at,
        scope="user",
        published_at=page.published_at,
        doc_path=f"{turn_dir(caller.turn_number)}/{CONTEXT}",
        turn_id=caller.turn_id,
        turn_number=caller.turn_number,
        session_id=caller.session_id,
        requested_at=caller.requested_at,
    )


def _id(*words: str) -> str:
    return str(uuid5(_NAMESPACE, "\n".join(words)))
