"""Takes together hits that say the same."""

from collections.abc import Iterable

import msgspec

from shared.replies import Hit


def fold(hits: Iterable[Hit], limit: int) -> list[Hit]:
    """The first `limit` things that were found, best first; each stands on all messages that say it.

    Two messages of one turn are one hit, and so are messages with the same words. What stands only on
    messages that an earlier hit stands on, such as a fact and the message that it was read from, is left out.
    """
    kept: dict[str, Hit] = {}
    shown: set[str] = set()
    for hit in hits:
        key = _same(hit, kept)
        if key is not None:
            more = [one for one in hit.message_ids if one not in kept[key].message_ids]
            kept[key] = msgspec.structs.replace(kept[key], message_ids=kept[key].message_ids + more)
        elif len(kept) < limit and not (hit.message_ids and _all_of(hit) <= shown):
            kept[_plain(hit.text)] = hit
        shown |= _all_of(hit)
    return list(kept.values())


def _same(hit: Hit, kept: dict[str, Hit]) -> str | None:
    text = _plain(hit.text)
    if text in kept:
        return text
    if hit.turn_id is None:
        return None
    return next((key for key, one in kept.items() if one.turn_id == hit.turn_id), None)


def _all_of(hit: Hit) -> set[str]:
    """Message ids are one's own only in their session."""
    return {f"{hit.session_id}\n{message_id}" for message_id in hit.message_ids}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
