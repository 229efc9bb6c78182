"""Who sends a request, and what they may do."""

from typing import Final

import msgspec

from shared.contract.abilities import FOR_USERS, Ability
from shared.contract.errors import Refused
from shared.contract.events import User

ME: Final = "me"
"""The caller, wherever a user is named: in an address, in a query, in a line of an import."""


class Caller(msgspec.Struct, frozen=True):
    """The user whose key came with a request."""

    name: str
    abilities: frozenset[Ability] = FOR_USERS
    key: str = ""
    """Stands for the key, and is not it. Empty where there was none."""

    def may_act_for(self, user: str) -> bool:
        return user == self.name or Ability.ACT_FOR_OTHERS in self.abilities

    def acts_for(self, named: str | None) -> str:
        """Returns the user that a request is about: the named one, or the caller, whose name also is `me`.

        Raises Refused: 422 where `named` cannot be a user's name, 404 where it is another user's. Whether
        there is such a user is not said.
        """
        if named in (None, ME):
            return self.name
        try:
            msgspec.convert(named, User)
        except msgspec.ValidationError as error:
            raise Refused(422, "a user is 1 to 64 of A-Z a-z 0-9 _ . @ -", "user") from error
        if not self.may_act_for(named):
            raise Refused(
                404,
                f"there is no user {named} for this key of {self.name}; leave `user` out, "
                "or use a key of the role service or admin",
                "user",
            )
        return named
