"""Reads what users state about themselves in plain English, by patterns: better to miss than to invent.

First person, present, declarative, and the user's own words (`own_words.py`). Nothing is read from a sentence
that denies (but for what the user dislikes) or hedges, and nothing of a change that is not understood.
"""

from collections.abc import Iterator
from typing import Final
from unicodedata import normalize

import msgspec
import regex

from shared.contract.memories import Maker, MemoryKind
from shared.language.own_words import Part, parts_of
from shared.language.remembering import to_remember, without_lead_in
from shared.language.sentences import sentences
from shared.language.statement_rules import RULES
from shared.language.statement_words import (
    ACRONYM_PLACES,
    ALLERGENS,
    CUT_ABBREVIATIONS,
    DATES,
    JOB_KINDS,
    JOBS,
    NO_EMPLOYER_SPARED,
    NO_NAMES,
    NO_PLACES,
    NO_THINGS,
)
from shared.language.words import plain_word, word_set, words_of

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


_CLAUSE = regex.compile(
    r"\s*(?:[,;]\s*(?:and|but|so)?|\b(?:and|but|so)\b|\s[-\u2013\u2014]+)\s+"
    r"(?=(?:I|I['\u2019](?:m|ve)|i|i'm|my)\b)"
)
_NO_STATEMENT = regex.compile(
    r"\b(?:used to|not|never|no longer|any ?more|nearly|almost|or|practically|basically|virtually|"
    r"sometimes|half the|sort of|kind of|technically|officially|soon|tomorrow|temporarily|going to|gonna|"
    r"only|on (?:weekends|weekdays)|next (?:week|month|year|summer|winter)|(?-i:will)|"
    r"in (?:my|your|our|the|his|her) (?:head|mind|heart|imagination|soul|blood)|in spirit|at heart|some days|"
    r"wanted|want|planning|plan to|like to think|supposed to|allowed to|asked to|pleased to|"
    r"in (?:a|the|my) (?:past|future|book|movie|film|song|play|show|series|story))\b"
    r"|n['\u2019]t\b|[?()]|\d+ (?:years|months) (?:old )?from now",
    regex.IGNORECASE,
)
_SUBORDINATE = regex.compile(
    r"(?:when(?:ever)?|while|(?:every|each|any|next|the first|the last|the next) \w+|as|after|before|once|"
    r"since|until|"
    r"although|though|even|because|by the time|in \d{4}|years? ago|back (?:in|when|then)|where|wherever|"
    r"how|what|"
    r"who|which|that|like|than|according)\b",
    regex.IGNORECASE,
)
"""A sentence that begins so tells of another time, or of a habit."""
_OWN_CLAUSE = regex.compile(
    r"(?:I|we|my|our|it|it['\u2019]s|please|you can|just|everyone|friends|call)\b", regex.IGNORECASE
)
"""How a sentence begins that may state something in any clause; not so "The parrot says hi and I ..."."""
_TELLER = regex.compile(
    r"(?:my|our) (?:(?!is\b)\w+ ){1,2}(?!is\b|are\b|was\b|has\b|too\b)\w+[.!]?$", regex.IGNORECASE
)
"""A clause that may say whose words the sentence has: "I work at Ford, my cousin boasts"."""
_GOES_ASTRAY = regex.compile(
    r"\s*+,\s*+(?!(?:and|but|so|because|since|which|where|who|by the way|too|also|thanks|thank you|please|"
    r"sadly|"
    r"finally|happily|unfortunately|luckily|near|close|next|mostly|especially|mainly|everyone|nice to|"
    r"pleased|"
    r"with|in|on|just|right|now|currently|at the moment|an?|the city|not far|btw|for|as|together|"
    r"originally|I)\b"
    r"|\p{Lu}[\w'-]*(?: \p{Lu}[\w'-]*)*(?:[,.!]|$| and\b| but\b))"
)
"""What follows a comma after the value, and does not plainly go on with it: ", began the minister"."""
_UNDERSTOOD_DENIALS = regex.compile(
    r"\b(?:don['\u2019]?t like|do not like|can['\u2019]?t stand|cannot stand)\b", regex.IGNORECASE
)
_CHANGE = regex.compile(
    r"\b(?:mov(?:e|ed|ing)|relocat\w+|left|leav(?:e|ing)(?! out)|return(?:ed|ing)?|back|quit|resign\w*|fired|"
    r"laid off|"
    r"switch\w*|chang\w+|became|stopped|ended|formerly|previously|my last (?:day|week)|retir\w+|until|ago|"
    r"originally|then|later|afterwards|"
    r"I(?:['\u2019]ll|['\u2019]m)? (?:start|join|begin|take over)\w*|"
    r"used to|no longer|any ?more|ex-\w+|old (?:job|place|flat|name|employer)|new (?:job|place|flat|name|"
    r"employer))\b",
    regex.IGNORECASE,
)
_AND_ANOTHER = regex.compile(r"(?:,|\band\b)\s+(?:then\s+)?(?:to|at|for|in)\s+\p{Lu}")
"""A second value of the same kind: "in January, to Hamburg in March"."""
_SETTLED = word_set("home employer occupation name diet")
"""What is not read where the message also tells of a change that no pattern understands."""
_NO_FAVOURITE = word_set(
    "part thing things bit one ones aspect moment option line scene version answer idea so far"
)


def speaks_of_oneself(text: str) -> bool:
    """Whether there is an I, a my or a we in it. Only then is it worth a closer look."""
    return regex.search(r"\b(?:I|i|[Mm]y|[Mm]e|[Mm]ine|[Ww]e|[Oo]ur|[Rr]emember)\b", text) is not None


def read_statements(text: str) -> list[Understood]:
    """In the order of the text. An attribute that has one value may come several times."""
    if not any(map(_says_something, sentences(text))):
        return []  # Most messages. Whose words they are takes ten times as long to see.
    parts = [part for part in parts_of(text) if len(part.text) <= LONGEST_QUOTE]
    notes = [note for part in parts for note in _asked_to_remember(part)]
    said = [part.text for part in parts if part.why == "own" and not to_remember(part.text)]
    read = [one for sentence in said for one in _stated(sentence)]
    if _tells_of_a_change(said, read):
        read = [one for one in read if one.attribute not in _SETTLED]
    return [*notes, *read]


def _says_something(sentence: str) -> bool:
    """Whether there is anything to read in it, whoever's words it is."""
    return bool(to_remember(sentence)) or any(True for _ in _stated(sentence))


def _asked_to_remember(part: Part) -> Iterator[Understood]:
    what = to_remember(part.text) if part.why in ("own", "supposed", "introduced") else ""
    stated = list(_stated(what))
    for one in stated:
        yield msgspec.structs.replace(one, quote=part.text, confidence=SURE, made_by="user")
    if what and not stated:
        yield Understood(
            text=_as_sentence(what), quote=part.text, kind="note", confidence=SURE, made_by="user"
        )


def _tells_of_a_change(said: list[str], read: list[Understood]) -> bool:
    """Besides what was read: "I moved to Lisbon. In March I moved back." """
    rest = "\n".join(said)
    for one in read:
        rest = rest.replace(one.quote, " ", 1)
    return _CHANGE.search(rest) is not None


def _stated(sentence: str) -> Iterator[Understood]:
    if _NO_STATEMENT.search(_UNDERSTOOD_DENIALS.sub("", sentence)):
        return
    told = without_lead_in(sentence)
    if _SUBORDINATE.match(told):
        return
    clauses = [clause.strip() for clause in _CLAUSE.split(told)]
    if _OWN_CLAUSE.match(clauses[0]) and not any(_TELLER.match(clause) for clause in clauses):
        for clause in clauses:
            yield from _read_clause(clause)


def _read_clause(clause: str) -> Iterator[Understood]:
    for rule in RULES:
        match = rule.pattern.match(clause)
        if match is None:
            continue
        fields = match.groupdict()
        attribute = rule.attribute.format(of=(fields.get("of") or "").lower())
        values = [fields["value"]] if "value" in fields else _items(fields["values"])
        if _GOES_ASTRAY.match(clause, match.end()):
            return
        changes_again = attribute in _SETTLED and _changes(clause[match.end("value") :])
        if changes_again or not all(_is_meant(rule.kind, attribute, value) for value in values):
            continue
        for value in values:
            yield Understood(
                text=_text_of(attribute, value, clause),
                quote=clause,
                kind=rule.kind,
                attribute=attribute,
                value=normalize("NFC", value),
            )
        if attribute != "employer":  # One clause may hold the employer and the occupation.
            return


def _changes(rest: str) -> bool:
    """Whether a clause tells of another value after the one that was read."""
    return _CHANGE.search(rest) is not None or _AND_ANOTHER.search(rest) is not None


def _items(values: str) -> list[str]:
    return [str(item) for item in regex.split(r",\s*(?:and\s+)?|\s+and\s+", values)]


def _is_meant(kind: MemoryKind, attribute: str, value: str) -> bool:
    words = [plain_word(word) for word in words_of(value)]
    if kind == "preference":
        return _is_thing(attribute, words)
    match attribute:
        case "allergy":
            return bool(words) and _singular(words[-1]) in ALLERGENS and not NO_THINGS.intersection(words)
        case "occupation":
            return words[-1] in JOBS and JOB_KINDS.issuperset(words[:-1])
        case "birthday" | "diet" | "intolerance":
            return True
        case _:
            return _is_name(attribute, value)


def _is_name(attribute: str, value: str) -> bool:
    tokens = value.split()
    plain = {part for token in tokens for part in regex.split(r"[-.]", token.lower())}
    known = NO_NAMES - NO_EMPLOYER_SPARED if attribute == "employer" else NO_NAMES
    if attribute in ("home", "hometown", "birthplace") and NO_PLACES.intersection(plain):
        return False
    if tokens[-1].lower() in CUT_ABBREVIATIONS or known.intersection(plain):
        return False
    if attribute == "employer":
        return True
    shouted = [token for token in tokens if len(token) > 1 and token.isupper() and "." not in token]
    return all(token in ACRONYM_PLACES and attribute != "name" for token in shouted)


def _is_thing(attribute: str, words: list[str]) -> bool:
    """Whether it may be liked for good: "hiking", "strong coffee"; not "the second one", "red for the
    button"."""
    if attribute.startswith("favourite ") and _NO_FAVOURITE.intersection(attribute.split()):
        return False
    if DATES.intersection(words) or any(char.isdigit() for word in words for char in word):
        return False
    if attribute == "prefers":
        return not (NO_THINGS - {"to"}).intersection(words)
    gerund = bool(words) and words[0].endswith("ing")
    barred = NO_THINGS - word_set("in on with for at the my about from") if gerund else NO_THINGS
    if attribute.startswith("favourite "):
        barred = barred - word_set("the a my of in")
    return not barred.intersection(words)


def _singular(word: str) -> str:
    for ending, single in (("ies", "y"), ("oes", "o"), ("ches", "ch"), ("shes", "sh"), ("s", "")):
        if word.endswith(ending) and word.removesuffix(ending) + single in ALLERGENS:
            return word.removesuffix(ending) + single
    return word


def _text_of(attribute: str, value: str, clause: str) -> str:
    """What is so from then on: a user who moved to Porto lives in Porto."""
    return f"I live in {value.rstrip('.')}." if attribute == "home" else _as_sentence(clause)


def _as_sentence(clause: str) -> str:
    text = clause.strip().rstrip(",;:")
    return text[:1].upper() + text[1:] + ("" if text[-1:] in {".", "!", "?", "\u2026"} else ".")
