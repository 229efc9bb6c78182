"""Which statements can take each other's place: those of one slot.

The slot of an attribute with one value at a time (home, employer, favourite colour ...) is the subject and
the attribute. Of an attribute with many values (allergy, sister ...) the value is a part of the slot too. The
slot of likes and dislikes is the thing liked, that of a note its words.
"""

from typing import Final
from unicodedata import normalize

import regex

from services.indexer.memories.statement import Said
from shared.contract.memories import MANY_AT_A_TIME, USER

TASTES: Final = frozenset({"likes", "dislikes"})
_SAME_ATTRIBUTE: Final = {
    **dict.fromkeys(("lives in", "residence", "city", "location"), "home"),
    **dict.fromkeys(("works at", "works for", "workplace", "company worked for"), "employer"),
    **dict.fromkeys(("job", "job title", "profession", "works as"), "occupation"),
    **dict.fromkeys(("like", "loves", "enjoys"), "likes"),
    **dict.fromkeys(("dislike", "hates"), "dislikes"),
    **dict.fromkeys(("allergies", "allergic to"), "allergy"),
    **dict.fromkeys(("mum", "mom"), "mother"),
    "dad": "father",
    "neighbor": "neighbour",
    "from": "hometown",
}


def plain_subject(subject: str) -> str:
    """`user` for every name that users have for themselves."""
    words = " ".join(subject.split())
    return USER if words.casefold() in {"", "i", "me", "myself", "self", "the user", USER} else words


def plain_attribute(attribute: str) -> str:
    """One name for one thing: `Works at`, `workplace` and `employer` are the same."""
    words = " ".join(attribute.replace("_", " ").replace("-", " ").casefold().split())
    return _SAME_ATTRIBUTE.get(words, words).replace("favorite", "favourite")


def key_of(words: str) -> str:
    """The same key for the same words in any case and encoding, with any article or punctuation."""
    plain = regex.sub(r"[^\w\s]", " ", normalize("NFC", words).casefold())
    return " ".join(regex.sub(r"^\s*(?:the|an?|my)\s+", "", plain).split()) or words.strip()


def slot_of(said: Said) -> str:
    subject, value = key_of(said.subject), key_of(said.value or said.text)
    if said.attribute in TASTES:
        return "\n".join((subject, "taste", value))
    if not said.attribute or said.attribute in MANY_AT_A_TIME:
        return "\n".join((subject, said.attribute, value))
    return "\n".join((subject, said.attribute))


def choice_of(said: Said) -> str:
    """What it says, of all that can be said in its slot."""
    return said.attribute if said.attribute in TASTES else key_of(said.value or said.text)
