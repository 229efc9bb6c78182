"""Ids and addresses. Ids become parts of subjects and of file names, so their alphabet is small."""

import re
from typing import Annotated, Final

import msgspec

# The lookahead refuses a final newline, which `$` alone lets pass in Python.
_ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$(?!\n)"
FILE_PATTERN: Final = _ID_PATTERN
SESSION_PATTERN: Final = r"^[A-Za-z0-9_.:-]{1,128}$(?!\n)"
ANY_SESSION_PATTERN: Final = r"^[^\x00-\x1f\x7f]{1,128}$(?!\n)"

TurnId = Annotated[
    str,
    msgspec.Meta(pattern=_ID_PATTERN, description="The turn's id. The gateway draws a UUIDv7 for each turn."),
]
FileId = Annotated[
    str, msgspec.Meta(pattern=FILE_PATTERN, description="The file's id, drawn by the client that uploads it.")
]
SessionId = Annotated[
    str, msgspec.Meta(pattern=SESSION_PATTERN, description="The conversation that it belongs to.")
]
AnySessionId = Annotated[
    str,
    msgspec.Meta(
        pattern=ANY_SESSION_PATTERN,
        description="The conversation that it belongs to. An imported session keeps the name that it had.",
    ),
]
User = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@-]{1,64}$(?!\n)", description="The owner.")]
Url = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[^\x00-\x20\x7f]+$(?!\n)",
        max_length=2048,
        description="Where it was fetched from.",
    ),
]
Domain = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9._:\[\]-]{1,253}$(?!\n)",
        description="The host as its addresses name it, in lower case, with its port where that is not the "
        "usual one.",
    ),
]

LOCAL_USER: Final = "local"
"""The one user of an installation without keys."""


def may_have_turns(session_id: str) -> bool:
    """False for a name that only an imported session can have."""
    return re.search(SESSION_PATTERN, session_id) is not None
