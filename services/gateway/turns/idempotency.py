"""An Idempotency-Key promises one turn: which one, and for which words."""

import hashlib
import re

import msgspec

from services.gateway.turns.views import NewTurn
from shared.contract.errors import Refused

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """With the body of the request, all that is needed to hand the very same turn in again."""

    turn_id: str
    session_id: str
    body_hash: str
    turn_number: int | None = None
    """Known once the turn is stored. Missing where the gateway died before it wrote the number here."""


class Written(msgspec.Struct, frozen=True):
    """A promise as it is stored, and the revision that a write over it has to name."""

    promise: Promise
    revision: int


def checked_key(given: str) -> str:
    """Raises Refused (400)."""
    if not _KEY.fullmatch(given):
        raise Refused(
            400, f"{HEADER} must be 1 to 255 visible ASCII characters, without spaces; send a UUID", HEADER
        )
    return given


def hash_of_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def hash_of_body(new: NewTurn) -> str:
    """Returns the same for bodies that differ only in spaces and in the order of fields."""
    body = msgspec.to_builtins(new)
    # A request of before these fields may come again.
    if new.follows is None:
        del body["follows"]
    if not new.tools:
        del body["tools"]
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def check_same_body(promise: Promise, new: NewTurn) -> None:
    """Raises Refused (409)."""
    if promise.body_hash != hash_of_body(new):
        raise Refused(
            409,
            f"this {HEADER} was used with another body; use a new key for another turn, "
            "or send the first body again",
            HEADER,
        )
