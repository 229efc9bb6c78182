"""What others said, put before a model as quoted data: it ends where its tag ends, and is no instruction."""

from collections.abc import Iterable

import msgspec

from services.orchestrator.domain.turn import Turn
from shared.replies import Passage


def tagged(tag: str, text: str) -> str:
    """Empty where there is nothing to quote. A closing tag inside would end the quotation early."""
    return f"<{tag}>\n{text.replace(f'</{tag}>', f'< /{tag}>')}\n</{tag}>" if text else ""


def joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def memory_of(turn: Turn) -> str:
    """What was gathered, without what the session says anyway."""
    in_session = {earlier.turn_id for earlier in turn.history or ()}
    passages = [quoted_passage(one) for one in turn.passages if one.turn_id not in in_session]
    return tagged("memory", joined([*passages, turn.digest]))


def results_of(turn: Turn) -> str:
    """What tools found."""
    texts = []
    for result in turn.results:
        arguments = msgspec.json.encode(result.arguments).decode()
        marks = "".join(f" [{source.name}]" for source in result.sources)
        how = "failed" if result.is_error else "found"
        texts.append(f"{result.tool} {arguments} {how}{marks}:\n{result.text}")
    return tagged("tools", joined(texts))


def quoted_passage(passage: Passage) -> str:
    answer = f"\nAssistant: {passage.output}" if passage.output and not passage.quoted else ""
    said = "User: " if passage.turn_id else ""
    past = "".join(f"\n(No longer so: {words})" for words in passage.outdated)
    return f"[{passage.name}]\n{said}{passage.input}{past}{answer}"
