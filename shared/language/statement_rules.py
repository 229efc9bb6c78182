"""The patterns of `statements.py`: how people say in English where they live, what they like ...

Each reads one clause from its first letter on. It takes a value only where the next words leave no doubt that
the value ends there. Names and places begin with a capital: a lower-case one is missed.
"""

import re
from typing import Final

import msgspec

from shared.contract.memories import MemoryKind


class Rule(msgspec.Struct, frozen=True):
    """The pattern has a group `value` or `values`, and a group `of` where the attribute has `{of}` in it."""

    kind: MemoryKind
    attribute: str
    pattern: re.Pattern[str]


_NAME = r"[A-Z\u00c0-\u00de][\w'\u2019-]*"
_NAMES = rf"{_NAME}(?: {_NAME}){{0,3}}"
_PLACE = (
    rf"(?:[Tt]he )?(?:(?:St|Ft|Mt)\. )?{_NAME}"
    rf"(?: (?:(?:of|de|da|do|dos|du|la|le|los|las|del|von|van|am|upon) )?{_NAME})*"
)
_TAIL = (
    r"(?=\s*(?:$|[,.;:!)\u2026]|(?:and|but|with|where|because|since|again|now|nowadays|currently|too|also|as|"
    r"these days|at the moment|right now|by the way|yesterday|today|recently|"
    r"(?:last|this) (?:week|weekend|month|year|spring|summer|autumn|winter)|"
    r"a (?:few )?(?:days?|weeks?|months?) ago|for (?:\w+ )?(?:years?|months?|weeks?|now))\b))"
    # Long ago: the sentence is about the past.
    r"(?!.*\b(?:in \d{4}|years ago|when|until|as a child|before)\b)"
)
_END = r"(?=\s*(?:$|[.!;,)\u2026]|(?:because|but|very much|a lot|so much|the most|at all|too|as well)\b))"
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = (
    rf"(?:(?:the )?{_DAY}(?: of)? {_MONTH}(?:,? \d{{4}})?|{_MONTH} (?:the )?{_DAY}(?:,? \d{{4}})?|"
    r"\d{4}-\d{2}-\d{2})"
)
_I_AM = r"(?i:I am|I'm|I\u2019m)"
_HAVE = r"(?:['\u2019]ve| have)?"
_OFTEN = (
    r"(?: (?:now|currently|still|really|absolutely|also|just|recently|actually|personally|mostly|usually))*"
)
_RELATION = (
    r"(?P<of>wife|husband|partner|girlfriend|boyfriend|fianc\u00e9e?|mother|mum|mom|father|dad|boss|manager|"
    r"sister|brother|son|daughter|child|baby|best friend|friend|colleague|neighbou?r|grandmother|grandfather|"
    r"aunt|uncle|cousin|dog|cat|puppy|kitten|horse|rabbit|parrot|pet|boat|company|band)"
)
_WORD = r"[^\s,.;:!?()\"\u201c\u201d]+"
_THING = rf"{_WORD}(?: {_WORD}){{0,4}}?"
_ITEM = rf"(?!(?:so|please|which|but|that|it|I)\b){_WORD}(?: (?!and\b){_WORD}){{0,2}}?"
_JOB = (
    r"nurse|doctor|teacher|engineer|(?:software|web|game) developer|software engineer|developer|programmer|"
    r"data scientist|scientist|lawyer|solicitor|architect|designer|chef|cook|baker|carpenter|plumber|"
    r"electrician|farmer|pilot|journalist|translator|librarian|accountant|dentist|pharmacist|photographer|"
    r"musician|student|pensioner|physiotherapist|psychologist|midwife|veterinarian|vet|social worker|"
    r"police officer|firefighter|bus driver|taxi driver|truck driver|project manager|product manager"
)
_NOT = r"don['\u2019]?t|do not"


def _rules(kind: MemoryKind, attribute: str, *patterns: str) -> list[Rule]:
    return [Rule(kind, attribute, re.compile(pattern)) for pattern in patterns]


RULES: Final[tuple[Rule, ...]] = (
    *_rules(
        "fact",
        "home",
        rf"[Ii]{_OFTEN} (?:live|reside){_OFTEN} in (?P<value>{_PLACE}){_TAIL}",
        rf"{_I_AM}{_OFTEN} (?:living|based) in (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii]{_HAVE}{_OFTEN} (?:moved|relocated) to (?P<value>{_PLACE}){_TAIL}",
    ),
    *_rules(
        "fact",
        "hometown",
        rf"{_I_AM}(?: originally)? from (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii] (?:originally )?come from (?P<value>{_PLACE}){_TAIL}",
    ),
    *_rules("fact", "birthplace", rf"[Ii] was born in (?P<value>{_PLACE}){_TAIL}"),
    *_rules(
        "fact",
        "employer",
        rf"[Ii]{_OFTEN} work (?:at|for) (?P<value>{_PLACE}){_TAIL}",
        rf"{_I_AM}{_OFTEN} (?:working|employed) (?:at|for|by) (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii]{_HAVE}{_OFTEN} started (?:working|work|a (?:new )?job) at (?P<value>{_PLACE}){_TAIL}",
    ),
    *_rules(
        "fact",
        "occupation",
        rf"[Ii]{_OFTEN} work (?:(?:at|for) {_PLACE} )?as an? (?P<value>[a-z][a-z -]{{2,40}}?){_TAIL}",
        rf"{_I_AM}{_OFTEN} an? (?P<value>{_JOB}){_TAIL}",
    ),
    *_rules(
        "fact",
        "name",
        rf"[Mm]y (?:full )?name(?: is|['\u2019]s) (?P<value>{_NAMES}){_TAIL}",
        rf"(?:[Pp]lease )?[Cc]all me (?P<value>{_NAME}){_END}",
    ),
    *_rules(
        "fact",
        "{of}",
        rf"[Mm]y {_RELATION} is (?:called|named) (?P<value>{_NAMES}){_TAIL}",
        rf"[Mm]y {_RELATION}['\u2019]s name is (?P<value>{_NAMES}){_TAIL}",
        rf"[Ii](?:['\u2019]ve got| have(?: got)?) an? (?:[a-z]+ )?{_RELATION} (?:called|named) "
        rf"(?P<value>{_NAMES}){_TAIL}",
    ),
    *_rules(
        "fact",
        "birthday",
        rf"[Mm]y birthday(?: is|['\u2019]s)(?: on)? (?P<value>{_DATE}){_TAIL}",
        rf"[Ii] was born on (?P<value>{_DATE}){_TAIL}",
    ),
    *_rules(
        "fact",
        "allergy",
        rf"{_I_AM}{_OFTEN}(?: severely| very| highly)? allergic to "
        rf"(?P<values>{_ITEM}(?:(?:, {_ITEM})*,? and {_ITEM})?){_END}",
        rf"[Ii] have an? (?:severe )?(?P<value>[a-z]+) allergy{_END}",
    ),
    *_rules("fact", "diet", rf"{_I_AM}{_OFTEN}(?: an?)? (?P<value>vegetarian|vegan|pescatarian){_END}"),
    *_rules("fact", "intolerance", rf"{_I_AM}{_OFTEN} (?P<value>lactose|gluten)[- ]intolerant{_END}"),
    *_rules(
        "fact",
        "native language",
        rf"[Mm]y (?:native language|mother tongue|first language) is (?P<value>{_NAME}){_TAIL}",
    ),
    *_rules(
        "preference",
        "favourite {of}",
        rf"[Mm]y (?:all-time )?favou?rite (?P<of>[a-z]+(?: [a-z]+)?) is (?P<value>{_THING}){_END}",
    ),
    *_rules(
        "preference",
        "dislikes",
        rf"[Ii]{_OFTEN} (?:hate|dislike|detest|loathe|can['\u2019]?t stand|cannot stand|(?:{_NOT}) like) "
        rf"(?P<value>{_THING}){_END}",
    ),
    *_rules("preference", "prefers", rf"[Ii]{_OFTEN} prefer (?P<value>{_THING} (?:to|over) {_THING}){_END}"),
    *_rules(
        "preference",
        "likes",
        rf"[Ii]{_OFTEN} (?:like|love|adore|enjoy|prefer) (?P<value>{_THING}){_END}",
    ),
)
