"""The keys that a gateway knows, and the caller that each belongs to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from services.gateway.http.callers import Caller
from shared.contract.abilities import ABILITIES_OF, FOR_ADMINS, Role
from shared.contract.errors import Transient
from shared.contract.events import LOCAL_USER
from shared.contract.keys import ApiKey, digest_of

LOCAL: Final = Caller(LOCAL_USER, FOR_ADMINS)


class _Grant(msgspec.Struct, frozen=True):
    caller: Caller
    until: datetime | None = None


class Keys:
    """Those of API_KEYS and those of the bucket, in one table by their digests.

    A digest is looked up, not the key: so the time that it takes tells nothing about a key.

    `may_be_open`: while there has never been a key, every request is from the user `local`. A gateway that
    has seen one key stays closed as long as it runs, also where that key ended or the bucket was lost.
    """

    def __init__(self, users_by_key: Mapping[str, str], admins: frozenset[str], *, may_be_open: bool) -> None:
        self._grants = {
            (digest := digest_of(key)): _Grant(
                Caller(user, ABILITIES_OF[Role.ADMIN if user in admins else Role.USER], digest)
            )
            for key, user in users_by_key.items()
        }
        self._kept: dict[str, list[str]] = {}
        """The digests of each key of the bucket, by its id."""
        self._may_be_open = may_be_open and not users_by_key
        self.is_read = False
        """The bucket was read whole."""

    # --- the bucket ---

    def take(self, key: ApiKey) -> None:
        """A key that was made, rotated or revoked."""
        self.drop(key.key_id)
        caller = Caller(key.user, key.abilities, key.key_id)
        for one in key.digests:
            self._grants[one.digest] = _Grant(caller, key.end_of(one))
        self._kept[key.key_id] = [one.digest for one in key.digests]
        self._may_be_open = False

    def drop(self, key_id: str) -> None:
        for digest in self._kept.pop(key_id, []):
            del self._grants[digest]

    def drop_all(self) -> None:
        """The bucket is gone, with all keys in it."""
        for key_id in list(self._kept):
            self.drop(key_id)

    # --- requests ---

    def caller_of(self, key: str, now: datetime) -> Caller | None:
        """Returns None for a key that lets nobody in. Raises Transient until the bucket is read."""
        grant = self._grants.get(digest_of(key))
        if grant is not None and (grant.until is None or now < grant.until):
            return grant.caller
        if not self.is_read:
            raise Transient("the API keys were not read from NATS yet")
        return LOCAL if self._may_be_open else None

    def lets_in(self, now: datetime) -> bool:
        """True where some key is valid."""
        return any(grant.until is None or now < grant.until for grant in self._grants.values())
