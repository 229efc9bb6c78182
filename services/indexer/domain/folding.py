"""Takes together hits that say the same."""

import re
from collections.abc import Iterable

import msgspec

from shared.replies import Hit

_WORD = re.compile(r"\w+")


def fold(hits: Iterable[Hit], limit: int) -> list[Hit]:
    """The first `limit` things that were found, best first; each stands on all messages that say it.

    Two messages of one turn are one hit, and so are texts with the same words. A fact and the message that it
    was read from say the same: what stands only on messages of earlier hits of another kind is left out. Two
    facts of one message are two. Where something was found that holds no more, every fact stays: one of them
    says in plain words what took its place.
    """
    hits = list(hits)
    needs_facts = any(hit.outdated for hit in hits)
    kept: dict[str, Hit] = {}
    shown: dict[str, set[str]] = {}
    """By message, the kinds of the hits that stand on it."""
    for hit in hits:
        text = _plain(hit.text)
        key = _same(hit, text, kept)
        if key is not None:
            more = [one for one in hit.message_ids if one not in kept[key].message_ids]
            kept[key] = msgspec.structs.replace(kept[key], message_ids=kept[key].message_ids + more)
        elif len(kept) < limit and ((needs_facts and hit.kind == "memory") or not _is_shown(hit, shown)):
            kept[text] = hit
        else:
            continue
        for message in _messages_of(hit):
            shown.setdefault(message, set()).add(hit.kind)
    return list(kept.values())


def _same(hit: Hit, text: str, kept: dict[str, Hit]) -> str | None:
    if text in kept:
        return text
    if hit.kind != "turn" or hit.turn_id is None:
        return None
    return next((key for key, one in kept.items() if one.kind == "turn" and one.turn_id == hit.turn_id), None)


def _is_shown(hit: Hit, shown: dict[str, set[str]]) -> bool:
    messages = _messages_of(hit)
    return bool(messages) and all(shown.get(message, set()) - {hit.kind} for message in messages)


def _messages_of(hit: Hit) -> set[str]:
    """Message ids are one's own only in their session."""
    return {f"{hit.session_id}\n{message_id}" for message_id in hit.message_ids}


def _plain(text: str) -> str:
    """Alike but for case, spaces and punctuation is the same; a text without a word is itself."""
    return " ".join(_WORD.findall(text.casefold())) or text
