"""Shows search hits to a model: numbered lines, each with the mark of its source."""

from collections.abc import Sequence

from services.orchestrator.tools.tool import ToolResult, ToolSource
from shared.contract.derivation import derive
from shared.contract.events import Origin
from shared.contract.requests import Hit
from shared.language.shortening import shortened

_LONGEST_WORDS = 600
LONGEST_QUOTE = 200


def result_of(hits: Sequence[Hit], nothing: str) -> ToolResult:
    if not hits:
        return ToolResult(text=nothing)
    lines = [f"{number}. {_line(hit)}" for number, hit in enumerate(hits, 1)]
    return ToolResult(text="\n".join(lines), sources=[_source(hit) for hit in hits])


def _line(hit: Hit) -> str:
    past = "".join(f" (no longer so: {shortened(words, LONGEST_QUOTE)})" for words in hit.outdated)
    turn_id = f" (turn_id {hit.turn_id})" if hit.turn_id is not None and hit.kind == "turn" else ""
    return f"[{_origin(hit).name}] {hit.at:%Y-%m-%d}: {_words(hit)}{past}{turn_id}"


def _words(hit: Hit) -> str:
    """Without an answer that only quotes: it adds no knowledge."""
    if not hit.input:
        return shortened(hit.text, _LONGEST_WORDS)
    answer = f" Answer: {shortened(hit.output, _LONGEST_WORDS)}" if hit.output and not hit.quoted else ""
    return f"{shortened(hit.input, _LONGEST_WORDS)}{answer}"


def _origin(hit: Hit) -> Origin:
    return derive(Origin, hit)


def _source(hit: Hit) -> ToolSource:
    quote = hit.highlights[0] if hit.highlights else hit.input or hit.text
    origin = _origin(hit)
    return ToolSource(
        name=origin.name,
        turn_id=hit.turn_id,
        message_ids=hit.message_ids,
        quote=shortened(quote, LONGEST_QUOTE),
        at=hit.at,
        origin=origin,
    )
