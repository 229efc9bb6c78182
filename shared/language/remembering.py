"""Requests to remember something: "Please remember that the plumber comes on Tuesday."."""

import re
from typing import Final

_LEAD_IN: Final = re.compile(
    r"(?:(?:hi|hey|hello|oh|well|ok|okay|yes|yeah|yep|also|and|so|actually|fyi|btw|by the way|note|update|"
    r"context|for context|heads up|fun fact|quick update|background|about me|ps|p\.s\.|one (?:more )?thing|"
    r"just so you know|for the record|as you know|thanks|thank you|today|recently|last (?:week|month|year)|"
    r"good (?:morning|afternoon|evening)|sorry|anyway|right|in fact|for your information|for what it's worth|"
    r"these days|nowadays|now|currently)"
    r"(?: there| all| again)?\s*[,:!.\u2013\u2014-]*\s+)+",
    re.IGNORECASE,
)
_REMEMBER: Final = re.compile(
    r"(?:please\s+|pls\s+|can you\s+)?"
    r"(?:remember|don['\u2019]?t forget|keep in mind|note|make a note|bear in mind)"
    r"(?:\s+that\s+|\s*:\s*|,?\s+(?=(?:I|I['\u2019]m|my)\s))(?P<what>.+)",
    re.IGNORECASE,
)
_RECALLS: Final = re.compile(
    r"(?:time|day|night|one|movie|film|song|place|guy|girl|when|how|what|where)\b|.*\b(?:told|mentioned)\b",
    re.IGNORECASE,
)


def without_lead_in(sentence: str) -> str:
    """The sentence from its first word that says something: without "Hi there! By the way, "."""
    lead_in = _LEAD_IN.match(sentence)
    return sentence[lead_in.end() :] if lead_in else sentence


def to_remember(sentence: str) -> str:
    """What the sentence asks to remember; empty where it asks for nothing of the kind."""
    match = _REMEMBER.match(without_lead_in(sentence)) or _REMEMBER.match(sentence)
    what = match["what"].strip() if match else ""
    return "" if len(what.split()) < 2 or _RECALLS.match(what) else what
