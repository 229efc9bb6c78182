"""Joins hits that say the same."""

import re
from collections.abc import Iterable
from itertools import islice

import msgspec

from shared.contract.requests import Hit
from shared.language.forms import plain_form

_WORD = re.compile(r"\w+")
_FIRST_WORDS = 4
_HEAD = 64
"""Characters. It nearly always has the first words, and what follows them."""


def fold(hits: Iterable[Hit], limit: int) -> list[Hit]:
    """The first `limit` different hits, best first, each with all messages that say it.

    Two messages of one turn are one hit, and so are texts with the same words. A fact and the message that it
    was read from say the same: a hit is left out if all its messages belong to earlier hits of another kind.
    Two facts of one message are two hits. Where a hit is outdated, every fact stays: one of them says what is
    so now.
    """
    hits = list(hits)
    needs_facts = any(hit.outdated for hit in hits)
    kept = _Kept()
    shown: dict[str, set[str]] = {}
    """By message, the kinds of its hits."""
    for hit in hits:
        place = kept.place_of(hit)
        if place is not None:
            kept.join(place, hit)
        elif len(kept.hits) < limit and ((needs_facts and hit.kind == "memory") or not _is_shown(hit, shown)):
            kept.add(hit)
        else:
            continue
        for message in _messages_of(hit):
            shown.setdefault(message, set()).add(hit.kind)
    return kept.hits


class _Kept:
    """Different hits. Whole texts are compared only where both begin with the same words."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self._of_turn: dict[str, int] = {}
        self._beginning_with: dict[str, list[int]] = {}
        self._plain: dict[int, str] = {}

    def add(self, hit: Hit) -> None:
        place = len(self.hits)
        self.hits.append(hit)
        if hit.kind == "turn" and hit.turn_id is not None:
            self._of_turn[hit.turn_id] = place
        self._beginning_with.setdefault(_beginning(hit.text), []).append(place)

    def join(self, place: int, hit: Hit) -> None:
        one = self.hits[place]
        more = [message for message in hit.message_ids if message not in one.message_ids]
        self.hits[place] = msgspec.structs.replace(one, message_ids=one.message_ids + more)

    def place_of(self, hit: Hit) -> int | None:
        """The place of the hit that says the same."""
        if hit.kind == "turn" and hit.turn_id in self._of_turn:
            return self._of_turn[hit.turn_id]
        alike = self._beginning_with.get(_beginning(hit.text), [])
        text = _plain(hit.text) if alike else ""
        return next((place for place in alike if self._plain_at(place) == text), None)

    def _plain_at(self, place: int) -> str:
        if place not in self._plain:
            self._plain[place] = _plain(self.hits[place].text)
        return self._plain[place]


def _is_shown(hit: Hit, shown: dict[str, set[str]]) -> bool:
    messages = _messages_of(hit)
    return bool(messages) and all(shown.get(message, set()) - {hit.kind} for message in messages)


def _messages_of(hit: Hit) -> set[str]:
    """A message id is unique in its session only."""
    return {f"{hit.session_id}\n{message_id}" for message_id in hit.message_ids}


def _beginning(text: str) -> str:
    """The first words of `_plain`."""
    head = text[:_HEAD]
    if head.isascii() and len(plain := _WORD.findall(head.lower())) > _FIRST_WORDS:
        return " ".join(plain[:_FIRST_WORDS])
    words = list(islice(_WORD.finditer(text), _FIRST_WORDS + 1))
    if len(words) > _FIRST_WORDS:
        text = text[: words[-1].end()]
    return " ".join(_WORD.findall(plain_form(text))[:_FIRST_WORDS])


def _plain(text: str) -> str:
    """Without case, spaces and punctuation; a text without a word stays as it is."""
    return " ".join(_WORD.findall(plain_form(text))) or text
