"""What the code says of a field: its docstring, a string right after it, or that of its type."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from shared.contract.requests import TurnRecord
from shared.contract.ways import described


def meaning_of(kind: type[msgspec.Struct], field: str) -> str:
    """What a field means: as the class says, or a class that it inherits from, or the field's type.

    A message that names a turn by its number tells facts of the turn. What it does not describe itself means
    what it means in the turn's record. Empty where the code does not say.
    """
    facts = [TurnRecord] if "turn_number" in kind.__struct_fields__ else []
    for one in (*kind.__mro__, *facts):
        if text := described(one.__module__).get(f"{one.__name__}.{field}", ""):
            return text
    return _description_of(get_type_hints(kind, include_extras=True).get(field))


def _description_of(declared: Any) -> str:
    """What the first annotation in a type says: `TurnId`, `SessionId | None`."""
    if get_origin(declared) is Annotated:
        return get_args(declared)[1].description or ""
    if get_origin(declared) in (Union, UnionType):
        return next(filter(None, map(_description_of, get_args(declared))), "")
    return ""
