"""The shape of a fetched page over HTTP."""

from datetime import datetime

import msgspec

from shared.contract.derivation import derive
from shared.contract.requests import Page


class PageView(msgspec.Struct, kw_only=True, frozen=True):
    """A page that was fetched."""

    research_id: str
    url: str
    domain: str
    title: str
    text: str
    """In a list its first 500 characters."""
    characters: int
    """Of the whole text."""
    primary_topic: str
    quality_overall: float
    confidence_current: float
    reliability: float
    """Of its domain."""
    fetched_at: datetime
    expires_at: datetime
    """From then on no search finds it."""
    published_at: datetime | None
    content_types: list[str]
    doc_path: str | None
    turn_id: str | None
    """The turn that fetched it."""
    turn_number: int | None


def view_of_page(page: Page, most_characters: int | None = None) -> PageView:
    return derive(PageView, page, text=page.text[:most_characters], characters=len(page.text))
