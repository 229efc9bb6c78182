"""The sentences of a text, in some 300 languages, by the library sentencex (Wikimedia, MIT, 4 MB, Rust).

Measured on 500 messages of 36 characters and on 19 hard cases (abbreviations, initials, quotations, decimals,
addresses of pages, Chinese, Japanese, Hindi), 2026-11-30, one core:

| library          | microseconds a message | cases |
|------------------|------------------------|-------|
| sentencex 1.0.32 | 1                      | 17    |
| pysbd 0.3.4      | 580                    | 15    |
| nupunkt 0.8.0    | 26                     | 13    |
| syntok 1.4.4     | 140                    | 11    |

Five things are added to it:
- A line ends a sentence, and the mark of a list item ("- ", "2. ") is no part of one.
- "Wow!! I moved. Ask me. Mira knows" is four sentences. In English the library takes an `I` after two marks
  or an abbreviation for a continuation, and "me." for Maine.
- "Ft. Worth" and "Capt. Hook" are names: the library knows "St." and "Dr.", but not these.
- A very long line is cut first: the library compares each opening quotation mark with all that follows.
- A text at which the library fails is one sentence.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from sentencex import segment

ENGLISH: Final = "en"
_LONGEST: Final = 2_000
"""Characters read at once. So many quotation marks and nothing else take 2 ms."""
_ENDS: Final = (". ", "! ", "? ", "\u3002")
_SPACE: Final = re.compile(r"[^\S ]")
_LIST_MARK: Final = re.compile(r"\s*(?:[-*+\u2022]+|\d{1,3}[.)])\s+")
_INNER_END: Final = re.compile(r"[.!?\u2026]\s")
_QUOTATION: Final = re.compile(r"[\"\u201c\u201d\u00ab\u00bb()]")
_CUT_NAME: Final = re.compile(r"\b(?:Ft|Ste|Sta|Sto|Pte|Capt|Lt|Sgt|Rev|Hon)\.$")
_MISSED_END: Final = re.compile(
    r"[.!?\u2026]\s+(?=I(?: [a-z]|['\u2019]))"
    r"|\b(?:[Mm]e|[Ii]ll|[Aa]rt|[Mm]iss|[Oo][Kk]|[Nn]o|May)\.\s+(?=[A-Z])"
)


def sentences(text: str, language: str = ENGLISH) -> Iterator[str]:
    """Yields the sentences in order, each letter by letter as in the text, without the spaces around it.

    `language`: an ISO 639 code. It decides which abbreviations are known.
    """
    for line in text.splitlines():
        if mark := _LIST_MARK.match(line):
            line = line[mark.end() :]
        while len(line) > _LONGEST:
            end = _end_of_part(line)
            yield from _segments(line[:end], language)
            line = line[end:]
        yield from _segments(line, language)


def _end_of_part(line: str) -> int:
    """Where a sentence seems to end, else at a space."""
    end = max(line.rfind(mark, 0, _LONGEST) + len(mark) for mark in _ENDS)
    return end if end > 1 else line.rfind(" ", 0, _LONGEST) + 1 or _LONGEST


def _segments(line: str, language: str) -> list[str]:
    # The library panics at a capital letter before a space that is not ASCII: "plan B\u00a0. Then".
    pieces = _segmented(line if line.isascii() else _SPACE.sub(" ", line), language)
    found: list[str] = []
    begin = 0
    for piece in pieces:
        end = begin + len(piece)
        sentence = line[begin:end].strip()
        begin = end
        if language == ENGLISH and found and _CUT_NAME.search(found[-1]):
            sentence = line[line.rindex(found[-1], 0, end) : end].strip()
            found.pop()
        if _INNER_END.search(sentence) and language == ENGLISH:
            found += _cut(sentence)
        elif sentence:
            found.append(sentence)
    return found


def _cut(sentence: str) -> list[str]:
    """Cuts at the ends that the library misses; not in a quotation, which is a part of its sentence."""
    if _QUOTATION.search(sentence):
        return [sentence]
    ends = [match.end() for match in _MISSED_END.finditer(sentence)]
    return [sentence[begin:end].rstrip() for begin, end in pairwise([0, *ends, len(sentence)])]


def _segmented(line: str, language: str) -> list[str]:
    """The library's panic is a BaseException: unhandled it would end the process."""
    try:
        pieces: list[str] = segment(language, line)
        return pieces
    except UnicodeEncodeError:  # Half of a surrogate pair.
        return [line]
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return [line]
