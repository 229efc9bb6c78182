"""One struct made from others that say the same, field by field, under the same names.

The messages about a turn are selections of its facts. Each lists its fields, since their order on the wire,
what is required and what is checked differ from message to message. No function copies them one by one.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def derive(kind: type[T], *sources: msgspec.Struct, **given: Any) -> T:
    """Each field of `kind`: as given, else from the first source with such an attribute, else its default.

    Raises TypeError where a required field is in none of them, or `kind` has no field of a given name.
    """
    for source in sources:
        for name in _fields_in(kind, type(source)):
            if name not in given:
                given[name] = getattr(source, name)
    return kind(**given)


@cache
def _fields_in(kind: type[msgspec.Struct], source: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of `kind` that every `source` has. Read once, not for every turn."""
    return tuple(name for name in kind.__struct_fields__ if hasattr(source, name))
