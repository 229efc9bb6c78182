"""What a program may be allowed to do: one closed set, for HTTP routes and for requests over the bus."""

from enum import StrEnum


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
    ACT_FOR_OTHERS = "users:act-for"
    """Name another user than one's own, where a request may name one."""
    ADMIN_READ = "admin:read"
    """Dead letters, and figures over all users."""
    ADMIN_WRITE = "admin:write"
    """Replay and drop dead letters, archive turns."""
