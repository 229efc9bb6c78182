"""Whose words: cuts a message into its sentences, and says of each why it counts as the user's own, or not.

What the user plainly says, in their own name and now, is their `own`. All else is framed: quoted, told by
others, introduced by a sentence in another voice, pasted, played, handed over, supposed, asked, taken back.
Better to miss than to invent: a frame counts for the whole message, but where its end is plain (quotation
marks, > lines, code).
"""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec
import regex

from shared.language.frames import (
    ASKS_ABOUT_A_TEXT,
    CORRECTED,
    HANDED_OVER,
    JOKE,
    LOOKS_BACK,
    OWN_VOICE,
    PASTED,
    PLAYED,
    REPORTED,
    SUPPOSED,
    SUPPOSES_ON,
)
from shared.language.questions import ends_asking
from shared.language.remembering import to_remember
from shared.language.sentences import sentences

Why = Literal[
    "own",
    "code",
    "quoted",
    "long",
    "pasted",
    "reported",
    "played",
    "handed over",
    "withdrawn",
    "asked",
    "supposed",
    "introduced",
]
Span = tuple[tuple[int, int], Why]
LONGEST_MESSAGE: Final = 1000
"""Characters. A longer text is seldom typed, and hardly ever about its writer alone."""
_SPACES: Final = regex.compile(r"[^\S\n]+")
_BLANK_LINES: Final = regex.compile(r"\n(?: ?\n)+")
_OF_ALL: Final[tuple[tuple[Why, regex.Pattern[str]], ...]] = (
    ("pasted", PASTED),
    ("reported", REPORTED),
    ("played", PLAYED),
    ("handed over", HANDED_OVER),
    ("withdrawn", JOKE),
)
_DELIMITED: Final[tuple[tuple[Why, regex.Pattern[str]], ...]] = (
    (
        "code",
        regex.compile(
            r"(?:```|~~~).*?(?:```|~~~|\Z)|`[^`\n]*`|^(?: {4}|\t).*$", regex.DOTALL | regex.MULTILINE
        ),
    ),
    # A quoted line, and the lines that go on with it.
    ("quoted", regex.compile(r"^[ \t]*(?:>|\|)[^\n]*(?:\n[^\n]*\S[^\n]*)*", regex.MULTILINE)),
    (
        "quoted",
        regex.compile(
            r"[\"\u201c\u201d\u201e\u00ab\u300c\u300e\uff02](?:[^\"\u201c\u201d\u201e\u00ab\u00bb\u300d\u300f\uff02]*)"
            r"(?:[\"\u201c\u201d\u00bb\u300d\u300f\uff02]|\Z)"
            r"|\u00bb[^\u00ab\u00bb]*(?:\u00ab|\Z)"
            r"|(?<![\w.!?,])['\u2018\u201a\u2039](?=\w)(?!(?:cause|til|tis|twas|em|cos|n)\b).*?"
            r"(?:(?<=\S)['\u2019\u2018\u203a](?!\w)|\Z)",
            regex.DOTALL,
        ),
    ),
)


class Part(msgspec.Struct, frozen=True):
    """A sentence: `message[begin:begin + len(text)]` is `text`."""

    text: str
    begin: int
    why: Why

    @property
    def end(self) -> int:
        return self.begin + len(self.text)


def parts_of(message: str) -> list[Part]:
    """All sentences of the message, in order."""
    parts = [Part(text, begin, "own") for text, begin in _placed(message)]
    spans = [(match.span(), why) for why, pattern in _DELIMITED for match in pattern.finditer(message)]
    parts = [_with(part, _delimited(part, spans)) for part in parts]
    if frame := _frame(message, parts, spans):
        return [_with(part, frame) for part in parts]
    parts = [_with(part, _of_itself(part.text)) for part in parts]
    return list(_in_order(parts))


def own_stretches(message: str) -> list[str]:
    """The longest runs of own sentences, letter by letter."""
    stretches: list[list[Part]] = [[]]
    for part in parts_of(message):
        if part.why == "own":
            stretches[-1].append(part)
        elif stretches[-1]:
            stretches.append([])
    return [message[run[0].begin : run[-1].end] for run in stretches if run]


def _placed(message: str) -> Iterator[tuple[str, int]]:
    after = 0
    for sentence in sentences(message):
        begin = message.index(sentence, after)
        after = begin + len(sentence)
        yield sentence, begin


def _with(part: Part, why: Why) -> Part:
    """The first reason stays."""
    return part if part.why != "own" else Part(part.text, part.begin, why)


def _delimited(part: Part, spans: list[Span]) -> Why:
    begins_at = part.begin if to_remember(part.text) else part.end - 1
    for (begin, end), why in spans:
        if begin <= begins_at and part.begin < end:
            return why
    return "own"


def _frame(message: str, parts: list[Part], spans: list[Span]) -> Why | None:
    """What the whole message is, as far as it is not quoted."""
    if len(message) > LONGEST_MESSAGE:
        return "long"
    # The lines matter: all but what is quoted, and the sentences that are to be remembered word by word.
    seen = list(message)
    remembered = [(part.begin, part.end) for part in parts if to_remember(part.text)]
    for begin, end in [*(span for span, _ in spans), *remembered]:
        seen[begin:end] = " " * (end - begin)
    # Single spaces and blank lines: many of them would make the patterns slow.
    outside = _BLANK_LINES.sub("\n\n", _SPACES.sub(" ", "".join(seen)))
    return next((why for why, pattern in _OF_ALL if pattern.search(outside)), None)


def _of_itself(sentence: str) -> Why:
    if ends_asking(sentence):
        return "asked"
    return "supposed" if SUPPOSED.search(sentence) else "own"


def _in_order(parts: list[Part]) -> Iterator[Part]:
    """A correction withdraws what came before. A condition, and another voice, count for what follows."""
    corrected = max((n for n, part in enumerate(parts) if CORRECTED.search(part.text)), default=-1)
    taken_back = max((n for n, part in enumerate(parts) if LOOKS_BACK.search(part.text)), default=-1)
    following: Why = "own"
    for n, part in enumerate(parts):
        if SUPPOSES_ON.match(part.text):
            following = "supposed"
        withdrawn = (n <= corrected or n < taken_back) and not to_remember(part.text)
        yield _with(part, "withdrawn" if withdrawn else following)
        if following == "own" and _introduces_others(part):
            following = "introduced"


def _introduces_others(part: Part) -> bool:
    if part.why == "asked":
        return ASKS_ABOUT_A_TEXT.search(part.text) is not None
    return part.why in ("own", "supposed") and not (OWN_VOICE.search(part.text) or to_remember(part.text))
