"""For whom a request asks."""

import msgspec

from shared.errors import Refused
from shared.events import User


class Naming:
    """Admins may ask for everybody, the others for themselves."""

    def __init__(self, admins: frozenset[str]) -> None:
        self._admins = admins

    def allows(self, own: str, named: str | None) -> bool:
        return named is None or named == own or own in self._admins

    def user(self, own: str, named: str | None) -> str:
        """Raises Refused: 403, or 422 for what can be nobody's name."""
        try:
            msgspec.convert(named, User | None)
        except msgspec.ValidationError as error:
            raise Refused(422, "a user is 1 to 64 of A-Z a-z 0-9 _ . @ -", "user") from error
        if not self.allows(own, named):
            raise Refused(
                403, f"{own} may not name the user {named}; leave `user` out, or use an admin's key", "user"
            )
        return named or own
