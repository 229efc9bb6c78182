"""How a user is told apart in subjects: docs/adr/0035.

A user's own program may publish to `user.<user>.>` alone. A gateway listens there, and asks the services what
the rest of the subject says, as that user, whatever user the message names.
"""

from typing import Final

from shared.contract.errors import Poison

OF_USERS: Final = "user"
"""The first part of the subjects that belong to users."""
FOLLOW: Final = "turns.follow"
"""After `user.<user>.`: every live event of one turn, in order, as answers to one request."""


def part_of(user: str) -> str:
    """The user as one part of a subject. Names have dots, which part subjects, and no `%`."""
    return user.replace(".", "%2E")


def subject_for(user: str, subject: str) -> str:
    return f"{OF_USERS}.{part_of(user)}.{subject}"


def user_and_subject(sent: str) -> tuple[str, str]:
    """`user.alice.index.search` -> `alice`, `index.search`. Raises Poison."""
    _, part, subject = [*sent.split(".", 2), "", ""][:3]
    if not subject:
        raise Poison(f"{sent} says nothing after the user")
    return part.replace("%2E", "."), subject
