"""A fetched page as it is stored, searched, found and shown."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.indexer.passages.message import StoredMessage, point_id_of
from services.indexer.passages.passage import Passage, passages_of
from shared.contract.derivation import derive
from shared.contract.errors import Poison
from shared.contract.events import ResearchSaved, ResearchScope
from shared.contract.requests import Hit, Page

_NO_SESSION: Final = ""
_NAME: Final = "research "
"""Stands before its id, so no memory has the same name."""


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
    """When its turn was requested, or it was fetched."""

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
    """The id of the point of its first part."""
    return point_id_of(user, _NO_SESSION, f"{_NAME}{research_id}")


def row_of(event: ResearchSaved) -> PageRow:
    """Raises Poison where PostgreSQL cannot store it."""
    for name in ("fetched_at", "expires_at", "published_at", "requested_at"):
        at = getattr(event, name)
        if at is not None and not 1 < at.year < 9999:
            raise Poison(f"{name}: {at} cannot be stored; use a year between 2 and 9998")
    if event.expires_at <= event.fetched_at:
        raise Poison("expires_at is not after fetched_at; say until when the page holds")
    return derive(
        PageRow,
        event,
        title=event.title.strip(),
        primary_topic=event.primary_topic.strip(),
        began_at=event.requested_at or event.fetched_at,
    )


def page_passages(row: PageRow) -> list[Passage]:
    """Its parts, as if its domain had said them in no session."""
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
    """With the whole text. The search shows the part that was found."""
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
    return derive(Page, row, similarity=round(similarity, 6), reliability=round(reliability, 6))
