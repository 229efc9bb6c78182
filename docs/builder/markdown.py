"""Markdown as GitHub shows it: tables, anchors, links to the sections of one page."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from docs.builder.entries import plain_subjects, requests, stored_events

_CODE = re.compile(r"(?<!\[)`([^`]+)`(?!\])")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([linked(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |\n" for line in lines)


def anchor_of(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def linked(text: str) -> str:
    """Subjects in the text lead to their sections."""
    return _CODE.sub(lambda found: _link(found[1]), text)


def _link(code: str) -> str:
    return f"[`{code}`](#{anchor_of(code)})" if code in _sections() else f"`{code}`"


@cache
def _sections() -> frozenset[str]:
    return frozenset(entry.name for entry in (*stored_events(), *requests(), *plain_subjects()))
