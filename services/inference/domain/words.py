"""Words and sentences of English text, as far as finding an answer needs them."""

import re
from collections.abc import Iterator
from itertools import pairwise

import snowballstemmer

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_POSSESSIVE = re.compile(r"'s?$")
_LIST_MARK = re.compile(r"^\s*(?:[-*+\u2022#>]+|\d{1,3}[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+|(?<=[\u3002\uff01\uff1f])")
_NO_END = re.compile(r"(?:^|[\s(])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|approx|No)\.$")
_ENDS_ASKING = re.compile(r"[?\uff1f][\"'\u201d\u2019)\]!.]*$")
_SENTENCE_WORDS = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASKING = _words("who whom whose what which when where why how")
_AUXILIARY = _words(
    """is are was were am do does did can could will would shall should may might must have has had
    isn't aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't shouldn't
    haven't hasn't hadn't"""
)
_TELLING = _words("tell show remind explain describe list summarise summarize recall")
STOP_WORDS = (
    _ASKING
    | _AUXILIARY
    | _TELLING
    | _words(
        """a about above after again all also an and any as at be because been before being below between both
        but by cannot doing down during each else ever every few for from further get give got having he her
        here hers him his i if in into it its itself just know known me more most much my myself no nor not
        now of off on once one only or other our ours out over own please said say same she so some such
        than that the their theirs them then there these they thing things this those through to too
        under until up us very we well while with you your yours yes i'm i've i'd i'll you're you've you'll
        we're we've we'll they're they've they'll"""
    )
)


def sentences(text: str) -> Iterator[str]:
    """The sentences of `text` with their spaces made single; a longer run of words comes in pieces."""
    for line in text.splitlines():
        kept = ""
        for piece in _SENTENCE_END.split(_LIST_MARK.sub("", line)):
            kept = f"{kept} {piece}".strip()
            if not _NO_END.search(kept):
                yield from _pieces(kept)
                kept = ""
        yield from _pieces(kept)


def _pieces(sentence: str) -> Iterator[str]:
    words = sentence.split()
    for start in range(0, len(words), _SENTENCE_WORDS):
        yield " ".join(words[start : start + _SENTENCE_WORDS])


def is_question(text: str) -> bool:
    """Ends with a question mark, or begins as a question or a request to tell something does."""
    return ends_asking(text) or _first_word(text) in _ASKING | _AUXILIARY | _TELLING


def is_yes_no_question(text: str) -> bool:
    return _first_word(text) in _AUXILIARY


def asks(sentence: str) -> bool:
    """Stricter than `is_question`: "When I was young I lived in Rome." tells something."""
    if ends_asking(sentence) or _first_word(sentence) in _TELLING:
        return True
    return sentence[-1:] not in {".", "!"} and _first_word(sentence) in _ASKING | _AUXILIARY


def ends_asking(text: str) -> bool:
    return _ENDS_ASKING.search(text.strip()) is not None


def asked_kind(text: str) -> set[str]:
    """The words right after "which" or "what" ("which city"): answers are of that kind and seldom say so."""
    words = [word.lower() for word in _WORD.findall(text)]
    return {after for word, after in pairwise(words) if word in {"which", "what"}} - STOP_WORDS


def _first_word(text: str) -> str:
    word = _WORD.search(text)
    return word.group().lower() if word else ""


class Stems:
    """Word stems (Snowball's English stemmer). One for each use: the stemmer keeps state while it works."""

    def __init__(self) -> None:
        self._stemmer = snowballstemmer.stemmer("english")
        self._known: dict[str, str] = {}

    def stem(self, word: str) -> str:
        """Empty for a stop word."""
        if word not in self._known:
            plain = _POSSESSIVE.sub("", word.lower().replace("\u2019", "'"))
            self._known[word] = "" if plain in STOP_WORDS else self._stemmer.stemWord(plain)
        return self._known[word]

    def content(self, text: str) -> set[str]:
        """The stems of the words that carry meaning."""
        return set(map(self.stem, _WORD.findall(text))) - {""}

    def names(self, text: str) -> set[str]:
        """The stems of capitalised words that do not merely begin a sentence."""
        return {
            self.stem(word)
            for sentence in sentences(text)
            for word in _WORD.findall(sentence)[1:]
            if word[0].isupper()
        } - {""}
