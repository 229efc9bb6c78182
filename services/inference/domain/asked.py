"""What a request asks, as the rules of a script see it."""

import re
from typing import Final

import msgspec

from services.inference.domain.words import STOP_WORDS, sentences
from shared.replies import Generate, RoleName

_TAGGED = re.compile(r"<(\w+)>\n(.*?)\n</\1>", re.DOTALL)
"""How prompts quote what is no instruction."""
_USER: Final = "user"
_SUMMARY_WORDS: Final = 120
_MOST_TOPICS: Final = 3
_TOPIC = re.compile(r"[^\W\d_][\w'\u2019-]+")
_PASSAGE_CHARACTERS: Final = 160


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a request that a rule can ask for."""

    role: RoleName
    phase: str
    schema: str
    """The schema's title; empty where none is asked for."""
    text: str
    """The last message of the user, whole."""
    question: str
    """The user's bare words in it."""


def read_request(request: Generate) -> Asked:
    text = next((message.content for message in reversed(request.messages) if message.role == "user"), "")
    said = [inner for tag, inner in _TAGGED.findall(text) if tag == _USER]
    return Asked(
        role=request.role,
        phase=request.phase,
        schema=str((request.schema or {}).get("title", "")),
        text=text,
        question=request.question or (said[-1] if said else text),
    )


def summary_of(text: str) -> str:
    """The first sentences of what the text quotes, without the user's words; of a bare text, its own."""
    quoted = "\n".join(inner for tag, inner in _TAGGED.findall(text) if tag != _USER)
    kept: list[str] = []
    words = 0
    for sentence in sentences(quoted or text):
        words += len(sentence.split())
        if kept and words > _SUMMARY_WORDS:
            break
        kept.append(sentence)
    return " ".join(kept)


def topics_of(question: str) -> list[str]:
    """Its first few words that carry meaning."""
    words = [word for word in _TOPIC.findall(question) if word.lower() not in STOP_WORDS]
    return list(dict.fromkeys(words))[:_MOST_TOPICS]


def numbered_passages(request: Generate) -> str:
    """`1. [turn 12] My sister Mira lives in Lisbon.`, a line each."""
    lines = []
    for number, passage in enumerate(request.passages, 1):
        text = " ".join(passage.input.split())
        short = text if len(text) <= _PASSAGE_CHARACTERS else f"{text[:_PASSAGE_CHARACTERS].rstrip()}…"
        lines.append(f"{number}. [{passage.name}] {short}")
    return "\n".join(lines)
