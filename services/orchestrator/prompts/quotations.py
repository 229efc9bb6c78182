"""Quotes foreign text for a model between tags, which the text itself cannot end."""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from services.orchestrator.turn.state import Turn
from shared.contract.requests import Passage, TurnRow

_OF_PROMPTS = ("conversation", "images", "analysis", "memory", "tools", "user", "answer", "reasons")
_OF_TEMPLATES = ("s", "sys", "system", "assistant", "think", "start_of_turn", "end_of_turn")
_NAMES = {
    "<": frozenset((*_OF_PROMPTS, *_OF_TEMPLATES)),
    "[": frozenset(("inst", "system_prompt", "available_tools", "tool_calls", "tool_results")),
}
"""Tags of our prompts, and tags by which chat templates begin and end messages."""
_HARMLESS = {"<": "&lt;", "[": "&#91;"}
_SLASHES = "/\\\u2044\u2215"
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that show nothing."""
_BEGINNING = re.compile(r"[<\uff1c\ufe64\[\uff3b]")


def tagged(tag: str, text: str) -> str:
    """Empty for an empty text."""
    return f"<{tag}>\n{without_tags(text)}\n</{tag}>" if text else ""


def without_tags(text: str) -> str:
    """Makes tags inside the text harmless: they could end the quotation, or begin another one.

    Finds tags in capitals, in full width, with spaces, and with invisible characters. Letters of other
    alphabets that look like Latin ones are left as they are.
    """

    def harmless(found: re.Match[str]) -> str:
        sign = unicodedata.normalize("NFKC", found[0])
        return _HARMLESS[sign] if _is_tag(text, found.end(), sign) else found[0]

    return _BEGINNING.sub(harmless, text)


def _is_tag(text: str, begin: int, sign: str) -> bool:
    names, seen = _NAMES[sign], ""
    for place in range(begin, len(text)):
        letter = "" if _is_unseen(text[place]) else unicodedata.normalize("NFKC", text[place]).casefold()
        if letter.isalnum() or letter in ("_", "-"):
            seen += letter
            if not any(name.startswith(seen) for name in names):
                return False
        elif seen in names or (letter == "|" and sign == "<" and not seen):  # <|im_start|>
            return True
        elif letter and letter not in _SLASHES:
            return False
    return seen in names


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "CMZ" or letter in _BLANKS


def joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def memory_of(turn: Turn) -> str:
    """What was gathered, without turns that the session's history has already."""
    in_session = {earlier.turn_id for earlier in turn.history or ()}
    passages = [quoted_passage(one) for one in turn.passages if one.turn_id not in in_session]
    return tagged("memory", joined([*passages, turn.digest]))


def images_in(turn: Turn | TurnRow) -> str:
    """What EYES saw in the turn's images."""
    return tagged("images", joined(image.words for image in turn.images))


def results_of(turn: Turn) -> str:
    """The results of tools."""
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
