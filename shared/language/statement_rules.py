"""The patterns of `statements.py`: how people say in English where they live, what they like ...

Each reads one clause from its first letter on. It takes a value only where the next words leave no doubt that
the value ends there. Names and places begin with a capital of any alphabet, or with a letter of one without
capitals: a lower-case one is missed.
"""

from typing import Final

import msgspec
import regex

from shared.contract.memories import MemoryKind


class Rule(msgspec.Struct, frozen=True):
    """The pattern has a group `value` or `values`, and a group `of` where the attribute has `{of}` in it."""

    kind: MemoryKind
    attribute: str
    pattern: "regex.Pattern[str]"


_ABBREVIATION = (
    r"(?:St|Ste|Sta|Sto|Ft|Mt|Pt|Dr|Prof|Mr|Mrs|Ms|Sr|Jr|Rev|Hon|Capt|Lt|Col|Gen|Sgt|Fr|"
    r"Bros|Inc|Ltd|Co|Corp|Dept|Univ)"
)
_WORD_OF_NAME = r"[\p{Lu}\p{Lt}\p{Lo}]\w*+(?:[-'\u2019&]\w+)*+"
# Atomic: "St." is never cut to "St", nor a word within.
_NAME = rf"(?>{_ABBREVIATION}\.|(?:\p{{Lu}}\.(?!\w\w))+|{_WORD_OF_NAME})"
_PARTICLE = (
    r"(?:of|de|da|do|dos|du|la|le|los|las|del|della|di|von|van|der|den|am|im|an der|upon|and the|&|sur|nad|"
    r"bin|ibn|al|el|es|y|e|af|av|zu)"
)
_NAMES = rf"(?>{_NAME}(?: (?:{_PARTICLE} ){{0,2}}{_NAME}){{0,4}})"
_PLACE = (
    rf"(?>(?:[Tt]he )?{_NAME}(?:,? (?:Inc|Ltd|LLC|GmbH|AG|SE|Corp|Co)\b\.?| (?:{_PARTICLE} ){{0,2}}{_NAME})*)"
)
_SPAN = r"(?:year|month|week|spring|summer|autumn|fall|winter|weekend)"
_SEASON = r"(?:spring|summer|autumn|fall|winter)"
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
_WHEN = (
    rf"(?:(?:last|this) {_SPAN}|in (?:(?:early |late )?{_MONTH}|{_SEASON})|yesterday|today|recently|"
    r"(?:a|an|one|two|three|a few|a couple of|several) (?:days?|weeks?|months?) ago|these days|right now|"
    r"for (?:(?:about|over|almost|the last|the past|more than) )?(?:\w+ )?(?:years?|months?|weeks?|now)|"
    r"now|nowadays|currently|at the moment|already|again|since)"
)
_MORE = (
    r"(?:but|with|where|because|too|also|by the way|together|alone|full[- ]time|part[- ]time|near|close to|"
    r"next to|in (?:the (?:north|south|east|west)|an?|(?!\d)\p{Lu}\w+)|as an?|for (?:my|an?|work|good)|"
    r"to (?:be|study|work))"
)
_TAIL = (
    # Two values are no value: "in Lisbon and Porto".
    r"(?=\s*(?:$|[.;:!\u2026)\u3002\uff01]|,(?! (?:and |or )?(?!I\b)\p{Lu}[^,.]*(?:,| and| &) (?!I\b)\p{Lu})|"
    rf"and(?! (?!I\b)\p{{Lu}})\b|{_WHEN}\b|{_MORE}\b))"
    # Long ago: the sentence is about the past.
    r"(?!.*\b(?:in \d{4}|years? ago|when|until|till|as a (?:child|kid|boy|girl|student|teenager)|before|"
    r"back then|at the time|those days|growing up|after|during)\b)"
)
_END = (
    r"(?=\s*(?:$|[.!;,)\u2026\u3002\uff01]|(?:because|but|very much|a lot|so much|the most|most of all|"
    r"at all|too|as well|"
    r"by the way|since|these days|and (?:I|my))\b))"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = (
    rf"(?:(?:the )?{_DAY}(?: of)? {_MONTH}(?:,? \d{{4}})?|{_MONTH} (?:the )?{_DAY}(?:,? \d{{4}})?|"
    r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4})"
)
_I_AM = r"(?i:I am|I'm|I\u2019m)"
_HAVE = r"(?:['\u2019]ve| have)?"
_OFTEN = (
    r"(?: (?:now|currently|still|really|absolutely|also|just|recently|actually|personally|mostly|usually|"
    r"finally|happily|presently|already|quite|truly|simply))*"
)
_RELATION = (
    r"(?P<of>wife|husband|partner|girlfriend|boyfriend|fianc\u00e9e?|mother|mum|mom|father|dad|boss|manager|"
    r"sister|brother|son|daughter|child|baby|best friend|friend|colleague|neighbou?r|grandmother|grandfather|"
    r"aunt|uncle|cousin|dog|cat|puppy|kitten|horse|rabbit|parrot|pet|boat|company|band)"
)
_OLD = r"(?:(?:older|younger|elder|little|big|twin|new|old|small|black|white|grey|brown) )?"
_WORD = r"[^\s,.;:!?()\"\u201c\u201d]+"
_THING = rf"{_WORD}(?: {_WORD}){{0,3}}?"
_ITEM = rf"(?!(?:so|please|which|but|that|it|I)\b){_WORD}(?: (?!and\b){_WORD}){{0,2}}?"
_NOT = r"don['\u2019]?t|do not"


def _rules(kind: MemoryKind, attribute: str, *patterns: str) -> list[Rule]:
    return [Rule(kind, attribute, regex.compile(pattern)) for pattern in patterns]


RULES: Final[tuple[Rule, ...]] = (
    *_rules(
        "fact",
        "home",
        rf"[Ii]{_OFTEN} (?:live|reside){_OFTEN} in (?P<value>{_PLACE}){_TAIL}",
        rf"{_I_AM}{_OFTEN} (?:living|based|at home) in (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii]{_HAVE}{_OFTEN} (?:moved|relocated)(?: back| over| house|"
        rf" here)? to (?P<value>{_PLACE}){_TAIL}",
        rf"[Mm]y home(?: is|['\u2019]s)(?: now)? in (?P<value>{_PLACE}){_TAIL}",
    ),
    *_rules(
        "fact",
        "hometown",
        rf"{_I_AM}(?: originally)? from (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii] (?:originally )?come from (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii] grew up in (?P<value>{_PLACE}){_TAIL}",
    ),
    *_rules("fact", "birthplace", rf"[Ii] was born in (?P<value>{_PLACE}){_TAIL}"),
    *_rules(
        "fact",
        "employer",
        rf"[Ii]{_OFTEN} work (?:at|for) (?P<value>{_PLACE}){_TAIL}",
        rf"{_I_AM}{_OFTEN} (?:working|employed) (?:at|for|by) (?P<value>{_PLACE}){_TAIL}",
        rf"[Ii]{_HAVE}{_OFTEN} (?:started (?:working|work|a (?:new )?job)|"
        rf"joined a new job) at (?P<value>{_PLACE}){_TAIL}",
        rf"[Mm]y employer is (?P<value>{_PLACE}){_TAIL}",
    ),
    *_rules(
        "fact",
        "occupation",
        rf"[Ii]{_OFTEN} work (?:(?:at|for) {_PLACE} )?as an? (?P<value>[a-z][a-z -]{{2,40}}?){_TAIL}",
        rf"{_I_AM}{_OFTEN} an? (?P<value>[a-z][a-z -]{{2,40}}?)(?: by (?:trade|profession|training))?{_TAIL}",
        rf"[Mm]y (?:job|profession|occupation) is (?P<value>[a-z][a-z -]{{2,40}}?){_TAIL}",
    ),
    *_rules(
        "fact",
        "name",
        rf"[Mm]y (?:full )?name(?: is|['\u2019]s) (?P<value>{_NAMES}){_TAIL}",
        rf"(?:(?:[Pp]lease|[Yy]ou can|[Jj]ust|[Pp]lease just|[Ee]veryone|[Ff]riends|"
        rf"[Mm]y friends) )?[Cc]alls? me "
        rf"(?P<value>{_NAMES}){_END}",
    ),
    *_rules(
        "fact",
        "{of}",
        rf"[Mm]y {_OLD}{_RELATION} is (?:called|named) (?P<value>{_NAMES}){_TAIL}",
        rf"[Mm]y {_OLD}{_RELATION}['\u2019]s name is (?P<value>{_NAMES}){_TAIL}",
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
        rf"{_I_AM}{_OFTEN}(?: severely| very| highly| badly| terribly| deathly)? allergic to "
        rf"(?P<values>{_ITEM}(?:(?:, {_ITEM})*,? and {_ITEM})?){_END}",
        rf"[Ii] have an? (?:(?:severe|bad|serious|mild|strong) )?(?P<value>[a-z]+) allergy{_END}",
    ),
    *_rules(
        "fact",
        "diet",
        rf"{_I_AM}{_OFTEN}(?: an?)? (?P<value>vegetarian|vegan|pescatarian)(?: (?:too|now|as well))?{_END}",
    ),
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
        rf"[Ii]{_OFTEN} (?:like|love|adore|enjoy) (?P<value>{_THING}){_END}",
    ),
)
