"""What a program may be allowed to do: one closed set, for HTTP routes and for requests over the bus."""

from enum import StrEnum
from typing import Final


class Ability(StrEnum):
    """Each HTTP route declares one. A caller who does not have it is refused."""

    PUBLIC = "public"
    """Needs no key. For the documentation only."""
    TURNS_READ = "turns:read"
    """Turns, their events and documents, the queue, sessions, models."""
    TURNS_WRITE = "turns:write"
    """Hand in, cancel, steer and approve turns; choose the recipe of a session."""
    MEMORY_READ = "memory:read"
    """Search, memories, fetched pages."""
    MEMORY_WRITE = "memory:write"
    """Remember, correct, import."""
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    DATA_EXPORT = "data:export"
    """Everything that is stored of a user, in one file."""
    DATA_FORGET = "data:forget"
    """Delete turns, sessions, memories or a whole user from every store, and read the receipt."""
    MCP_CONNECT = "mcp:connect"
    """Speak the Model Context Protocol. Each of its tools needs an ability of its own as well."""
    ACT_FOR_OTHERS = "users:act-for"
    """Name another user than one's own, where a request may name one."""
    OPERATE_READ = "operate:read"
    """The list of dead letters, and figures over all users: no words of a user."""
    OPERATE_WRITE = "operate:write"
    """Replay and drop dead letters, archive turns."""
    INTERNAL = "internal"
    """Of the services alone: no role has it, and no route declares it."""
    ADMIN_READ = "admin:read"
    """A dead letter with its body: what a user said."""


class Role(StrEnum):
    """What a key is for. Its abilities are those of its role."""

    USER = "user"
    """A person and their own data."""
    OPERATOR = "operator"
    """Dashboards and dead letters, and no contents."""
    SERVICE = "service"
    """A program that speaks for many users: it names them, and has no rights of an admin."""
    ADMIN = "admin"
    """Everything."""


FOR_USERS: Final = frozenset(
    {
        Ability.TURNS_READ,
        Ability.TURNS_WRITE,
        Ability.MEMORY_READ,
        Ability.MEMORY_WRITE,
        Ability.FILES_READ,
        Ability.FILES_WRITE,
        Ability.DATA_EXPORT,
        Ability.DATA_FORGET,
        Ability.MCP_CONNECT,
    }
)
"""Listed one by one: no user has a new ability until it is listed."""
_FOR_OPERATORS: Final = frozenset({Ability.OPERATE_READ, Ability.OPERATE_WRITE})
_FOR_SERVICES: Final = FOR_USERS | {Ability.ACT_FOR_OTHERS}
FOR_ADMINS: Final = _FOR_OPERATORS | _FOR_SERVICES | {Ability.ADMIN_READ}
ABILITIES_OF: Final = {
    Role.USER: FOR_USERS,
    Role.OPERATOR: _FOR_OPERATORS,
    Role.SERVICE: _FOR_SERVICES,
    Role.ADMIN: FOR_ADMINS,
}


def roles_with(ability: Ability) -> list[str]:
    return [role.value for role, abilities in ABILITIES_OF.items() if ability in abilities]
