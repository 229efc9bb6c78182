"""Pages that were fetched: as rows, as what is searched, and as hits."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.indexer.domain.messages import StoredMessage, point_id_of
from services.indexer.domain.passages import Passage, passages_of
from shared.errors import Poison
from shared.events import ResearchSaved, ResearchScope
from shared.replies import Hit, Page

_NO_SESSION: Final = ""
_NAME: Final = "research "
"""Before its id: no memory and no message without a session has such a name."""


class PageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it is stored."""

    research_id: str
    user: str
    url: str
    domain: str
    title: str
    text: str
    primary_topic: str
    quality_overall: float
    confidence_current: float
    fetched_at: datetime
    expires_at: datetime
    scope: ResearchScope
    published_at: datetime | None
    content_types: list[str]
    doc_path: str | None
    turn_id: str | None
    turn_number: int | None
    session_id: str | None
    began_at: datetime
    """When its turn was asked for, or it was fetched."""

    @property
    def point_id(self) -> UUID:
        return point_of(self.user, self.research_id)

    @property
    def at(self) -> datetime:
        return self.published_at or self.fetched_at

    @property
    def whole_text(self) -> str:
        """What is searched and shown: with the title, unless the text begins with it."""
        if not self.title or self.text.startswith(self.title):
            return self.text
        return f"{self.title}\n{self.text}"


def point_of(user: str, research_id: str) -> UUID:
    """Where the index has it."""
    return point_id_of(user, _NO_SESSION, f"{_NAME}{research_id}")


def row_of(event: ResearchSaved) -> PageRow:
    """Raises Poison where it can never be stored."""
    for name in ("fetched_at", "expires_at", "published_at", "requested_at"):
        at = getattr(event, name)
        if at is not None and not 1 < at.year < 9999:
            raise Poison(f"{name}: {at} cannot be stored; use a year between 2 and 9998")
    if event.expires_at <= event.fetched_at:
        raise Poison("expires_at is not after fetched_at; say until when the page holds")
    return PageRow(
        research_id=event.research_id,
        user=event.user,
        url=event.url,
        domain=event.domain,
        title=event.title.strip(),
        text=event.text,
        primary_topic=event.primary_topic.strip(),
        quality_overall=event.quality_overall,
        confidence_current=event.confidence_current,
        fetched_at=event.fetched_at,
        expires_at=event.expires_at,
        scope=event.scope,
        published_at=event.published_at,
        content_types=event.content_types,
        doc_path=event.doc_path,
        turn_id=event.turn_id,
        turn_number=event.turn_number,
        session_id=event.session_id,
        began_at=event.requested_at or event.fetched_at,
    )


def page_passages(row: PageRow) -> list[Passage]:
    """Its parts, each with what stands beside it, as if its domain had said it in no session."""
    said = StoredMessage(
        user=row.user,
        session_id=_NO_SESSION,
        message_id=f"{_NAME}{row.research_id}",
        speaker=row.domain,
        role="other",
        text=row.whole_text,
        at=row.at,
        ordinal=0,
        uses=0,
        indexed=True,
    )
    return passages_of([said])


def hit_of(row: PageRow) -> Hit:
    """With the whole text: which part was found is not known here."""
    return Hit(
        kind="research",
        id=row.research_id,
        score=0.0,
        text=row.whole_text,
        session_id=row.session_id or _NO_SESSION,
        at=row.at,
        speaker=row.domain,
        turn_id=row.turn_id,
        input=row.whole_text,
        url=row.url,
    )


def page_of(row: PageRow, *, similarity: float, reliability: float) -> Page:
    return Page(
        research_id=row.research_id,
        url=row.url,
        domain=row.domain,
        title=row.title,
        text=row.text,
        primary_topic=row.primary_topic,
        quality_overall=row.quality_overall,
        confidence_current=row.confidence_current,
        fetched_at=row.fetched_at,
        expires_at=row.expires_at,
        published_at=row.published_at,
        content_types=row.content_types,
        doc_path=row.doc_path,
        turn_id=row.turn_id,
        turn_number=row.turn_number,
        similarity=round(similarity, 6),
        reliability=round(reliability, 6),
    )
