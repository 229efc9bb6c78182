"""Reads what users state about themselves in plain English, by patterns: better to miss than to invent.

First person, present, declarative. Nothing is read from a sentence that asks, supposes, denies (but for what
the user dislikes), quotes or tells a story, and nothing from a message that hands over a text to work on.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from shared.contract.memories import Maker, MemoryKind
from shared.language.questions import ends_asking
from shared.language.sentences import sentences
from shared.language.statement_rules import RULES
from shared.language.words import word_set

SURE: Final = 1.0
"""The user asked to remember it."""
LIKELY: Final = 0.9
"""A pattern read it. The words were said, but may mean something else."""
LONGEST_QUOTE: Final = 1000


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of the user about themselves. `quote` is a part of the text, letter by letter."""

    text: str
    quote: str
    kind: MemoryKind
    attribute: str = ""
    value: str = ""
    confidence: float = LIKELY
    made_by: Maker = "reflector"


_CLAUSE = re.compile(
    r"\s*(?:[,;]\s*(?:and|but|so)?|\b(?:and|but|so)\b|\s[-\u2013\u2014]+)\s+"
    r"(?=(?:I|I['\u2019](?:m|ve)|i|i'm|my)\b)"
)
_LEAD_IN = re.compile(
    r"(?:(?:hi|hey|hello|oh|well|ok|okay|yes|yeah|yep|also|and|so|actually|fyi|btw|by the way|"
    r"just so you know|for the record|as you know|thanks|today|recently|last (?:week|month|year)|"
    r"these days|nowadays|now)"
    r"(?: there)?\s*[,:!.\u2013-]*\s+)+",
    re.IGNORECASE,
)
_REMEMBER = re.compile(
    r"(?:please\s+|pls\s+|can you\s+)?"
    r"(?:remember|don['\u2019]?t forget|keep in mind|note|make a note|bear in mind)"
    r"(?:\s+that\s+|\s*:\s*|,?\s+(?=(?:I|I['\u2019]m|my)\s))(?P<what>.+)",
    re.IGNORECASE,
)
_RECALLS = re.compile(
    r"(?:time|day|night|one|movie|film|song|place|guy|girl|when|how|what|where)\b|.*\b(?:told|mentioned)\b",
    re.I,
)
_OTHERS_WORDS = re.compile(
    r"\b(?:translate|proofread|paraphrase|rewrite|rephrase|summari[sz]e|role-?play|pretend|act as|"
    r"fix (?:the|this|my)|correct (?:the|this|my)|(?:write|tell) (?:an?|me|us|the)\b|draft|compose|"
    r"(?:continue|complete|finish) (?:the|this|my)|in the voice of|lyrics|once upon a time|"
    r"(?:this|the following|a) (?:sentence|text|paragraph|story|poem|letter|email|dialogue)|"
    r"for example|e\.g\.)",
    re.IGNORECASE,
)
_NO_STATEMENT = re.compile(
    r"\b(?:if|unless|would|wouldn['\u2019]t|might|maybe|perhaps|used to|not|never|no longer|any ?more|"
    r"nearly|almost|suppose|supposing|imagine|assume|assuming|wish|hypothetical\w*|jok(?:e|ing)|kidding|lying|"
    r"said|says|or|(?:in|of) (?:a|the|my) (?:story|dreams?|novel|movie|film|game|book|song|play))\b"
    r"|n['\u2019]t\b|\?|^\s*[>\"'\u201c\u2018`|]|\b(?:January|July)\b\?",
    re.IGNORECASE,
)
_UNDERSTOOD_DENIALS = re.compile(
    r"\b(?:don['\u2019]?t like|do not like|can['\u2019]?t stand|cannot stand)\b", re.I
)
_NO_THING = re.compile(
    r"(?:it|its|this|that|these|those|you|your|yours|him|her|his|them|they|their|us|me|how|when|what|where|who|"
    r"why|whether|the|one|ones|all|both|either|neither|my|our|being|to|i|we|he|she|everything|nothing|"
    r"something|anything)\b|.*\b(?:option|version|answer|choice|approach|suggestion|idea|it|this|that|you|today|"
    r"tonight|now|here|there|more|less|better|i)\b",
    re.IGNORECASE,
)
_NO_FAVOURITE = word_set("part thing things bit one ones aspect moment option line scene")
_NO_NAME = word_set(
    "I Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July "
    "August September October November December Today Tomorrow Later Back Maybe Crazy Old Sir Not"
)


def speaks_of_oneself(text: str) -> bool:
    """Whether there is an I, a my or a we in it. Only then is it worth a closer look."""
    return re.search(r"\b(?:I|i|[Mm]y|[Mm]e|[Mm]ine|[Ww]e|[Oo]ur|[Rr]emember)\b", text) is not None


def read_statements(text: str) -> list[Understood]:
    """In the order of the text. An attribute that has one value may come several times."""
    said = _short_sentences(text)
    notes = [note for sentence in said for note in _asked_to_remember(sentence)]
    if _OTHERS_WORDS.search(text):
        return notes
    if notes:
        said = [sentence for sentence in said if not _REMEMBER.match(_without_lead_in(sentence))]
    return [*notes, *(one for sentence in said for one in _stated(sentence))]


def _short_sentences(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if len(sentence) <= LONGEST_QUOTE]


def _without_lead_in(sentence: str) -> str:
    lead_in = _LEAD_IN.match(sentence)
    return sentence[lead_in.end() :] if lead_in else sentence


def _asked_to_remember(sentence: str) -> Iterator[Understood]:
    match = _REMEMBER.match(_without_lead_in(sentence))
    if match is None or ends_asking(sentence):
        return
    what = match["what"].strip()
    if len(what.split()) < 2 or _RECALLS.match(what):
        return
    stated = list(_stated(what))
    for one in stated:
        yield msgspec.structs.replace(one, quote=sentence, confidence=SURE, made_by="user")
    if not stated:
        yield Understood(
            text=_as_sentence(what), quote=sentence, kind="note", confidence=SURE, made_by="user"
        )


def _stated(sentence: str) -> Iterator[Understood]:
    if _NO_STATEMENT.search(_UNDERSTOOD_DENIALS.sub("", sentence)):
        return
    for clause in _CLAUSE.split(_without_lead_in(sentence)):
        yield from _read_clause(clause.strip())


def _read_clause(clause: str) -> Iterator[Understood]:
    for rule in RULES:
        match = rule.pattern.match(clause)
        if match is None:
            continue
        fields = match.groupdict()
        of = (fields.get("of") or "").lower()
        attribute = rule.attribute.format(of=of)
        values = (
            [fields["value"]]
            if "value" in fields
            else re.split(r",\s*(?:and\s+)?|\s+and\s+", fields["values"])
        )
        if _is_meant(rule.kind, attribute, of, values):
            for value in values:
                yield Understood(
                    text=_text_of(attribute, value, clause),
                    quote=clause,
                    kind=rule.kind,
                    attribute=attribute,
                    value=value,
                )
            if attribute != "employer":  # One clause may hold the employer and the occupation.
                return


def _is_meant(kind: MemoryKind, attribute: str, of: str, values: list[str]) -> bool:
    if kind == "preference" or attribute == "allergy":
        return of not in _NO_FAVOURITE and not any(_NO_THING.match(value) for value in values)
    return attribute == "birthday" or not any(value.split()[0] in _NO_NAME for value in values)


def _text_of(attribute: str, value: str, clause: str) -> str:
    """What is so from then on: a user who moved to Porto lives in Porto."""
    return f"I live in {value}." if attribute == "home" else _as_sentence(clause)


def _as_sentence(clause: str) -> str:
    text = clause.strip().rstrip(",;:")
    return text[:1].upper() + text[1:] + ("" if text[-1:] in {".", "!", "?", "\u2026"} else ".")
