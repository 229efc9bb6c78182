"""Which messages of a conversation its owner saw last. A message that is edited begins a new branch."""

from collections.abc import Mapping
from typing import Any, Final

_LATEST: Final = 1e15
"""No Unix time is later, in seconds or milliseconds."""


def visible_path(parents: Mapping[str, object], current: object, times: Mapping[str, Any]) -> list[str]:
    """Returns the ids from the first message to the current one, or to the latest leaf where none is current.

    `parents`: of each id the one before it, in the order of the file. `times`: those that are known.
    """
    node: object = (
        current if isinstance(current, str) and current in parents else _latest_leaf(parents, times)
    )
    path: dict[str, None] = {}
    while isinstance(node, str) and node in parents and node not in path:
        path[node] = None
        node = parents[node]
    return list(reversed(path))


def _latest_leaf(parents: Mapping[str, object], times: Mapping[str, Any]) -> str | None:
    """Of leaves with the same time, or with none, the last one in the file."""
    inner = {parent for parent in parents.values() if isinstance(parent, str)}
    leaves = [node for node in parents if node not in inner]
    return max(reversed(leaves), key=lambda node: _sortable(times.get(node)), default=None)


def _sortable(at: object) -> tuple[float, str]:
    """Exports have Unix times, or ISO 8601 in UTC."""
    if isinstance(at, int | float):
        return (float(at), "") if abs(at) < _LATEST else (0.0, "")
    return 0.0, at if isinstance(at, str) else ""
