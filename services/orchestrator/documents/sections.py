"""The numbered sections of `context.md`, one for each phase.

All text of users, models and tools stands in a quotation, so it cannot look like a section.
"""

from collections.abc import Sequence

import msgspec

from services.orchestrator.turn.endings import timing_of
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import CallResult, Plan
from shared.contract.events import PhaseTiming, SeenImage
from shared.contract.requests import Passage, TurnRecord
from shared.language.shortening import one_line

_COLUMNS = """| phase | seconds | role | model | tokens in | of them cached | tokens out |
|---|---|---|---|---|---|---|"""


def sections_of(turn: Turn, record: TurnRecord) -> list[str]:
    """Sections of the phases that ran. Query, context and answer are always there."""
    named = [
        ("§0 Query", _query(turn, record)),
        ("§1 Reflection", _reflection(turn)),
        ("§2 Gathered context", _gathered(turn)),
        ("§3 Plan", "\n\n".join(_plan(number, plan) for number, plan in enumerate(turn.plans, 1))),
        ("§4 Tools", "\n\n".join(map(_result, turn.results))),
        ("§5 Answer", _answer(record)),
        ("§6 Validation", _validation(turn)),
        ("§7 What it took", _took(turn)),
    ]
    return [f"## {name}\n\n{text}\n" for name, text in named if text]


def quotation(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines() or [""])


def _query(turn: Turn, record: TurnRecord) -> str:
    added = [f"Added while the turn ran:\n\n{quotation(text)}" for text in record.steering]
    return _paragraphs(quotation(record.input), _images(record), *added, _analysis(turn))


def _images(record: TurnRecord) -> str:
    return _paragraphs(*(_image(image) for image in record.images))


def _image(image: SeenImage) -> str:
    shown = quotation(image.description) if image.description else f"Not seen: {one_line(image.problem)}"
    return f"### Image {one_line(image.name)} ({image.file_id})\n\n{shown}"


def _analysis(turn: Turn) -> str:
    found = turn.analysis
    if found is None:
        return ""
    lines = [
        f"- intent: {found.intent}",
        *_listed("topics", found.topics),
        *_listed("understood as", [found.resolved] if found.resolved else []),
        *_listed("searched for", found.queries),
    ]
    return "\n".join(lines)


def _reflection(turn: Turn) -> str:
    if turn.gate is None:
        return ""
    said = {"proceed": "Go on.", "ask_back": "Ask the user back.", "answer_now": "Answer at once."}
    return _paragraphs(said[turn.gate.decision], quotation(turn.gate.reason) if turn.gate.reason else "")


def _gathered(turn: Turn) -> str:
    if turn.memory_was_away:
        return "Memory could not be asked; the answer was given without it."
    parts = []
    if turn.history:
        numbers = ", ".join(str(row.turn_number) for row in turn.history)
        parts.append(f"From this session: turns {numbers}.")
    parts += [_passage(passage) for passage in turn.passages]
    if turn.digest:
        parts.append(f"### Further, compressed\n\n{quotation(turn.digest)}")
    return "\n\n".join(parts) or "Nothing relevant was found in memory."


def _passage(passage: Passage) -> str:
    answer = f"\n\n{quotation(passage.output)}" if passage.output and not passage.quoted else ""
    name = one_line(passage.name)
    heading = name[:1].upper() + name[1:]
    return (
        f"### {heading} (score {passage.score:.3f}, similarity {passage.similarity:.3f})\n\n"
        f"{quotation(passage.input)}{answer}"
    )


def _plan(number: int, plan: Plan) -> str:
    goals = "\n".join(f"> - {one_line(goal)}" for goal in plan.goals)
    calls = [f"> {one_line(call.id)}: {one_line(call.tool)} {_json(call.arguments)}" for call in plan.calls]
    called = "\n>\n".join(calls) if calls else "No tool is needed."
    return _paragraphs(f"### Round {number}", goals, called)


def _result(result: CallResult) -> str:
    how = "failed after" if result.is_error else "answered in"
    marks = ", ".join(one_line(source.name) for source in result.sources)
    return _paragraphs(
        f"### {one_line(result.tool)} {how} {result.seconds:.2f} s",
        quotation(_json(result.arguments)),
        quotation(result.text),
        f"Sources: {marks}" if marks else "",
    )


def _answer(record: TurnRecord) -> str:
    parts = [quotation(record.output)] if record.output else []
    if record.error:
        parts.append(f"The turn {record.status}: {one_line(record.error)}")
    if record.sources:
        parts.append(_sources(record))
    return "\n\n".join(parts) or "No answer was given."


def _sources(record: TurnRecord) -> str:
    lines = [f"- {one_line(source.name)}: {one_line(source.quote)}" for source in record.sources]
    return "Sources:\n\n" + "\n".join(lines)


def _validation(turn: Turn) -> str:
    said = {"approve": "Approved.", "revise": "To be revised:", "fail": "Not approved:"}
    return "\n\n".join(
        _paragraphs(said[verdict.decision], "\n".join(f"> - {one_line(why)}" for why in verdict.reasons))
        for verdict in turn.verdicts
    )


def _took(turn: Turn) -> str:
    if not turn.phases:
        return ""
    rows = [_row(timing_of(run)) for run in turn.phases]
    return _paragraphs("\n".join([_COLUMNS, *rows]), "\n".join(f"- {one_line(note)}" for note in turn.notes))


def _row(took: PhaseTiming) -> str:
    if not took.calls:
        return f"| {took.phase} | {took.seconds:.3f} | | | | | |"
    model = one_line(took.model or "").replace("|", "/")
    tokens = f"{took.input_tokens} | {took.cached_tokens} | {took.output_tokens}"
    return f"| {took.phase} | {took.seconds:.3f} | {took.role} | {model} | {tokens} |"


def _listed(name: str, values: Sequence[str]) -> list[str]:
    return [f"- {name}: {'; '.join(map(one_line, values))}"] if values else []


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
