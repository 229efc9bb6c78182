"""Finds the sources of an answer by its marks, like [turn 12]."""

import re

from services.orchestrator.prompts.context import sources_of
from services.orchestrator.tools.tool import ToolSource
from services.orchestrator.turn.state import Turn
from shared.contract.events import Source

_MARK = re.compile(r"[\[(]([^\[\]()\n]{1,200})[\])]")


def sources_named(turn: Turn, answer: str) -> list[Source]:
    """In the order in which the answer names them.

    An answer without marks counts as based on all passages, unless tools have worked for it.
    """
    found = {name.casefold(): source for name, source in _by_name(turn)}
    marks = [
        mark.strip() for group in _MARK.findall(answer) for mark in re.split(r"[;,]\s+(?=turn )|;", group)
    ]
    named = {mark.casefold(): found[mark.casefold()] for mark in marks if mark.casefold() in found}
    return list(named.values()) or ([] if turn.results else sources_of(turn.passages))


def _by_name(turn: Turn) -> list[tuple[str, Source]]:
    of_tools = [(one.name, _source(one)) for result in turn.results for one in result.sources]
    # Later ones win: passages of memory have scores.
    return of_tools + [(source.name, source) for source in sources_of(turn.passages)]


def _source(found: ToolSource) -> Source:
    return Source(
        kind="turn" if found.turn_id else "research",
        id=found.turn_id or found.url or found.name,
        turn_id=found.turn_id,
        message_ids=found.message_ids,
        at=found.at,
        score=0.0,
        quote=found.quote,
    )
