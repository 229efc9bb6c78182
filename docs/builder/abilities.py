"""docs/abilities.md: who may ask what, by route and by subject, from the abilities that they declare."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from docs.builder.entries import Entry, all_entries
from services.gateway.app import v1_routes
from services.gateway.http.site import public_routes
from services.gateway.mcp.routes import post_mcp
from shared.contract import subjects
from shared.contract.abilities import ABILITIES_OF, Ability, Role, roles_with
from shared.contract.subject_abilities import ABILITY_OF

Asker = Literal["no key", "other user", "owner", "operator", "admin", "service"]
Answer = Literal["yes", "own", "401", "403", "404"]
ASKERS: Final[dict[Asker, Role | None]] = {
    "no key": None,
    "other user": Role.USER,
    "owner": Role.USER,
    "operator": Role.OPERATOR,
    "admin": Role.ADMIN,
    "service": Role.SERVICE,
}
_OVER_ALL: Final = frozenset({Ability.OPERATE_READ, Ability.OPERATE_WRITE, Ability.ADMIN_READ})
_NAMESPACED: Final = "session_id"
"""Sessions are named by their users: the same name is another session for another user."""
_BRING_IDS: Final = frozenset({"file.put", "memories.save"})
"""Their id is a new one that the sender draws."""
_HEAD: Final = """# The table of abilities

Made from the code by `make docs`; tests/flow/turns/test_abilities.py asks all of it of a running stack.
[security.md](security.md) says what keys and roles are.

## HTTP

What each asks for is the owner's: the owner's id, or the owner by name.

- **yes**: answered. **own**: answered with what is the asker's own, and nothing of the owner's.
- **401**, **403**, **404**: refused. An id of the owner is 404 for everyone else, also for an admin, as one
  that does not exist. Where a route may name a user, services and admins may name the owner.
"""
_SUBJECTS: Final = """
## NATS

A program with a credential for the bus is one of the services, or acts for the person who runs Pandora
([nats.md](nats.md)). A caller of the gateway reaches a subject only by a route, so with the ability of the
route. Each request that names a user is answered for that user alone.

- **404**: another user's id is answered as one that does not exist: refused, or `deleted: false`. **own**:
  the answer is of the named user alone. **all**: it is about no single user.
"""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A route."""

    method: str
    path: str
    ability: Ability
    names_user: bool

    @property
    def has_id(self) -> bool:
        named = re.findall(r"\{(\w+_id)\}", self.path)
        return any(name != _NAMESPACED for name in named)

    def answer(self, asker: Asker) -> Answer:
        role = ASKERS[asker]
        if self.ability is Ability.PUBLIC:
            return "yes"
        if role is None:
            return "401"
        if self.ability not in ABILITIES_OF[role]:
            return "403"
        if asker == "owner" or self.ability in _OVER_ALL:
            return "yes"
        if self.names_user:
            return "yes" if Ability.ACT_FOR_OTHERS in ABILITIES_OF[role] else "404"
        return "404" if self.has_id else "own"


def rows() -> list[Row]:
    """Every route of the gateway, by path."""
    v1 = Router("/v1", route_handlers=v1_routes(file_limit_bytes=1))
    found = [row for handler, path in _handlers_in(v1) for row in _rows_of(handler, path)]
    found += [row for one in (*public_routes, post_mcp) for path in one.paths for row in _rows_of(one, path)]
    return sorted(found, key=lambda row: (row.path, row.method))


def page() -> str:
    return "\n".join([_HEAD, *_routes(), _SUBJECTS, *_subject_rows(all_entries()), ""])


def _handlers_in(router: Router) -> Iterator[tuple[HTTPRouteHandler, str]]:
    """With their whole paths."""
    for route in router.routes:
        if isinstance(route, HTTPRoute):
            yield from ((handler, route.path) for handler in route.route_handlers)


def _rows_of(handler: HTTPRouteHandler, path: str) -> Iterator[Row]:
    for method in sorted(handler.http_methods - {"OPTIONS"}):
        yield Row(
            method=str(method),
            path=re.sub(r"\{(\w+):\w+\}", r"{\1}", path),
            ability=handler.opt["ability"],
            names_user=bool(handler.opt.get("names_user")),
        )


def _routes() -> Iterator[str]:
    yield f"| route | ability | {' | '.join(ASKERS)} |"
    yield "|---" * (len(ASKERS) + 2) + "|"
    for row in rows():
        answers = " | ".join(row.answer(asker) for asker in ASKERS)
        yield f"| `{row.method} {row.path}` | {row.ability} | {answers} |"


# --- subjects ---


def _subject_rows(entries: Iterable[Entry]) -> Iterator[str]:
    yield "| subject | ability | roles that have it | another user's |"
    yield "|---|---|---|---|"
    for name, entry in by_subject(entries).items():
        ability = ABILITY_OF[name]
        roles = ", ".join(roles_with(ability)) or "services alone"
        yield f"| `{name}` | {ability} | {roles} | {_of_others(entry)} |"


def by_subject(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The live events share one subject."""
    live = subjects.LIVE.replace("{", "<").replace("}", ">")
    return {live if entry.family == "live" else entry.name: entry for entry in entries}


def ids_in(entry: Entry) -> list[str]:
    """The fields of a request of one user that name something of that user by its id."""
    fields = entry.message.__struct_fields__ if entry.message is not None else ()
    if entry.family != "request" or "user" not in fields or entry.name in _BRING_IDS:
        return []
    return [name for name in fields if name.endswith("_id") and name != _NAMESPACED]


def _of_others(entry: Entry) -> str:
    fields: Any = entry.message.__struct_fields__ if entry.message is not None else ()
    if entry.family == "live":
        return "by the turn's id"
    if ABILITY_OF[entry.name] is Ability.INTERNAL:
        return ""
    if "user" not in fields:
        return "all"
    return "404" if ids_in(entry) else "own"
