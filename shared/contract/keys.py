"""API keys as they are stored: what finds a key, whose it is and what it may do. Never the key itself.

A key has 256 bits of chance. So one round of SHA-256 keeps it: there is nothing to guess, unlike a password.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from shared.contract.abilities import ABILITIES_OF, Ability, Role
from shared.contract.events import User

KEY_PREFIX: Final = "pandora"
"""Begins each key, so that scanners of code find one that was committed."""
KeyId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}$(?!\n)")]


def key_text(key_id: str, secret: str) -> str:
    """The key as its user sends it. Its id is in it, so that a key that was found can be revoked."""
    return f"{KEY_PREFIX}_{key_id}_{secret}"


def digest_of(key: str) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyDigest(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    """Of the whole key."""
    until: datetime | None = None
    """When it ends, once the key was rotated."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the bucket `api-keys`."""

    key_id: KeyId
    user: User
    role: Role
    scopes: list[Ability] = []
    """Of the abilities of the role, those alone. Empty: all of them."""
    label: str = ""
    """For people."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    digests: list[KeyDigest]
    """The newest first. A key that was rotated with an overlap has two."""

    @property
    def abilities(self) -> frozenset[Ability]:
        whole = ABILITIES_OF[self.role]
        return whole & frozenset(self.scopes) if self.scopes else whole

    def end_of(self, digest: KeyDigest) -> datetime | None:
        """When requests with it are refused from; None: never."""
        return min((at for at in (self.expires_at, self.revoked_at, digest.until) if at), default=None)

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def rotated(self, key: str, now: datetime, old_until: datetime) -> "ApiKey":
        """With a new key. The one before is valid until `old_until`; older ones have ended."""
        last = msgspec.structs.replace(self.digests[0], until=old_until)
        kept = [last] if old_until > now else []
        return msgspec.structs.replace(self, digests=[KeyDigest(digest=digest_of(key)), *kept])

    def revoked(self, now: datetime) -> "ApiKey":
        return msgspec.structs.replace(self, revoked_at=self.revoked_at or now)
