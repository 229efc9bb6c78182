"""What a search found, as numbered lines for a model, each with the mark of its source."""

from collections.abc import Sequence

import msgspec

from services.orchestrator.tools.tool import ToolResult, ToolSource
from shared.events import Origin
from shared.replies import Hit

_LONGEST_WORDS = 600
_LONGEST_QUOTE = 200


def result_of(hits: Sequence[Hit], nothing: str) -> ToolResult:
    if not hits:
        return ToolResult(text=nothing)
    lines = [f"{number}. {_line(hit)}" for number, hit in enumerate(hits, 1)]
    return ToolResult(text="\n".join(lines), sources=[_source(hit) for hit in hits])


def shortened(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """On one line."""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= longest else f"{one_line[: longest - 1]}…"


def _line(hit: Hit) -> str:
    past = "".join(f" (no longer so: {shortened(words)})" for words in hit.outdated)
    turn_id = f" (turn_id {hit.turn_id})" if hit.turn_id is not None and hit.kind == "turn" else ""
    return f"[{_mark(hit)}] {hit.at:%Y-%m-%d}: {_words(hit)}{past}{turn_id}"


def _words(hit: Hit) -> str:
    """A quotation as an answer knows nothing of its own."""
    if not hit.input:
        return shortened(hit.text, _LONGEST_WORDS)
    answer = f" Answer: {shortened(hit.output, _LONGEST_WORDS)}" if hit.output and not hit.quoted else ""
    return f"{shortened(hit.input, _LONGEST_WORDS)}{answer}"


def _origin(hit: Hit) -> Origin:
    return msgspec.convert({name: getattr(hit, name) for name in Origin.__struct_fields__}, Origin)


def _mark(hit: Hit) -> str:
    return _origin(hit).name


def _source(hit: Hit) -> ToolSource:
    quote = hit.highlights[0] if hit.highlights else hit.input or hit.text
    return ToolSource(
        name=_mark(hit),
        turn_id=hit.turn_id,
        message_ids=hit.message_ids,
        quote=shortened(quote),
        at=hit.at,
        origin=_origin(hit),
    )
