"""Reads from a request what the rules of a script can use."""

import re
from typing import Final

import msgspec

from services.inference.extractive.pieces import pieces_of
from shared.contract.requests import Generate, RoleName
from shared.language.words import STOP_WORDS

_TAGGED = re.compile(r"<(\w+)>\n(.*?)\n</\1>", re.DOTALL)
"""Prompts quote between tags what is no instruction."""
_USER: Final = "user"
_SUMMARY_WORDS: Final = 120
_MOST_TOPICS: Final = 3
_TOPIC = re.compile(r"[^\W\d_][\w'\u2019-]+")
_PASSAGE_CHARACTERS: Final = 160


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a request that the conditions of a rule refer to."""

    role: RoleName
    phase: str
    schema: str
    """The title of the schema; empty where the request has no schema."""
    text: str
    """The whole last message of the user, or the text that is to go on."""
    question: str
    """Only the user's own words in that message."""
    result: str = ""
    """What a tool said last; empty where the last message is not its result."""


def read_request(request: Generate) -> Asked:
    text = request.prompt or next(
        (message.content for message in reversed(request.messages) if message.role == "user"), ""
    )
    last = request.messages[-1] if request.messages else None
    said = [inner for tag, inner in _TAGGED.findall(text) if tag == _USER]
    return Asked(
        role=request.role,
        phase=request.phase,
        schema=str((request.schema or {}).get("title", "")),
        text=text,
        question=request.question or (said[-1] if said else text),
        result=last.content if last is not None and last.role == "tool" else "",
    )


def summary_of(text: str) -> str:
    """The first sentences of the quoted parts, without the user's words. Without quoted parts: of the
    text."""
    quoted = "\n".join(inner for tag, inner in _TAGGED.findall(text) if tag != _USER)
    kept: list[str] = []
    words = 0
    for sentence in pieces_of(quoted or text):
        words += len(sentence.split())
        if kept and words > _SUMMARY_WORDS:
            break
        kept.append(sentence)
    return " ".join(kept)


def topics_of(question: str) -> list[str]:
    """Its first words that are no stop words, at most three."""
    words = [word for word in _TOPIC.findall(question) if word.lower() not in STOP_WORDS]
    return list(dict.fromkeys(words))[:_MOST_TOPICS]


def numbered_passages(request: Generate) -> str:
    """One line for each passage: `1. [turn 12] My sister Mira lives in Lisbon.`"""
    lines = []
    for number, passage in enumerate(request.passages, 1):
        text = " ".join(passage.input.split())
        short = text if len(text) <= _PASSAGE_CHARACTERS else f"{text[:_PASSAGE_CHARACTERS].rstrip()}…"
        lines.append(f"{number}. [{passage.name}] {short}")
    return "\n".join(lines)
