"""What a person states of themselves in plain English, read by patterns: better to miss than to invent.

First person, present, declarative. A sentence that asks, supposes, denies (but for what somebody dislikes),
quotes or tells a story gives nothing, and neither does a message that hands over a text to work on.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from shared.memories import Maker, MemoryKind
from shared.statement_rules import RULES

SURE: Final = 1.0
"""What somebody asked to be remembered."""
LIKELY: Final = 0.9
"""What a pattern understood: the words were said, and may have been meant otherwise."""
LONGEST_QUOTE: Final = 1000


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of the user about themselves. `quote` occurs in what was read, letter by letter."""

    text: str
    quote: str
    kind: MemoryKind
    attribute: str = ""
    value: str = ""
    confidence: float = LIKELY
    made_by: Maker = "reflector"


_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)]*\s+|\n+")
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
_NO_FAVOURITE = frozenset("part thing things bit one ones aspect moment option line scene".split())  # noqa: SIM905
_NO_NAME = frozenset(
    "I Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July "  # noqa: SIM905
    "August September October November December Today Tomorrow Later Back Maybe Crazy Old Sir Not".split()
)


def speaks_of_oneself(text: str) -> bool:
    """Whether it is worth a closer look: there is an I, a my or a we in it."""
    return re.search(r"\b(?:I|i|[Mm]y|[Mm]e|[Mm]ine|[Ww]e|[Oo]ur|[Rr]emember)\b", text) is not None


def read_statements(text: str) -> list[Understood]:
    """In the order of the text; of several values of one attribute that has one, all of them."""
    asked = [note for sentence in _sentences(text) for note in _asked_to_remember(sentence)]
    if asked or _OTHERS_WORDS.search(text):
        rest = [s for s in _sentences(text) if not _REMEMBER.match(_without_lead_in(s))]
        found = [] if _OTHERS_WORDS.search(text) else [one for s in rest for one in _stated(s)]
        return [*asked, *found]
    return [one for sentence in _sentences(text) for one in _stated(sentence)]


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        if 0 < len(sentence.strip()) <= LONGEST_QUOTE:
            yield sentence.strip()


def _without_lead_in(sentence: str) -> str:
    lead_in = _LEAD_IN.match(sentence)
    return sentence[lead_in.end() :] if lead_in else sentence


def _asked_to_remember(sentence: str) -> Iterator[Understood]:
    match = _REMEMBER.match(_without_lead_in(sentence))
    if match is None or sentence.endswith("?"):
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
            if attribute != "employer":  # Whom and as what somebody works for stand in one clause.
                return


def _is_meant(kind: MemoryKind, attribute: str, of: str, values: list[str]) -> bool:
    if kind == "preference" or attribute == "allergy":
        return of not in _NO_FAVOURITE and not any(_NO_THING.match(value) for value in values)
    return attribute == "birthday" or not any(value.split()[0] in _NO_NAME for value in values)


def _text_of(attribute: str, value: str, clause: str) -> str:
    """What holds from then on: who moved to Porto lives in Porto."""
    return f"I live in {value}." if attribute == "home" else _as_sentence(clause)


def _as_sentence(clause: str) -> str:
    text = clause.strip().rstrip(",;:")
    return text[:1].upper() + text[1:] + ("" if text[-1:] in {".", "!", "?", "\u2026"} else ".")
