"""What the code says of a class, a field or a constant: its docstring, a string right after it."""

import ast
import inspect
import itertools
import re
import sys
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from shared.contract.requests import TurnRecord

_WAY = re.compile(r"(?P<senders>[a-z, ]+) -> (?P<receivers>[a-z, ]+): (?P<text>.*)", re.DOTALL)


class Way(msgspec.Struct, frozen=True):
    """`indexer -> anyone: search finds the turn from now on.`"""

    senders: list[str]
    receivers: list[str]
    text: str


def text_of(kind: type) -> str:
    """The docstring, each paragraph on one line. Empty where the class has none of its own."""
    return paragraphs(vars(kind).get("__doc__") or "")


def way_of(docstring: str) -> Way:
    """Raises ValueError where it does not begin with who sends to whom."""
    found = _WAY.fullmatch(docstring)
    if found is None:
        raise ValueError(f"begin with `sender -> receiver: `, not with {docstring[:60]!r}")
    return Way(found["senders"].split(", "), found["receivers"].split(", "), found["text"])


def meaning_of(kind: type[msgspec.Struct], field: str) -> str:
    """What a field means: as the class says, or a class that it inherits from, or the field's type.

    A message that names a turn by its number tells facts of the turn. What it does not describe itself means
    what it means in the turn's record. Empty where the code does not say.
    """
    facts = [TurnRecord] if "turn_number" in kind.__struct_fields__ else []
    for one in (*kind.__mro__, *facts):
        if text := _described(one.__module__).get(f"{one.__name__}.{field}", ""):
            return text
    return _description_of(get_type_hints(kind, include_extras=True).get(field))


def _description_of(declared: Any) -> str:
    """What the first annotation in a type says: `TurnId`, `SessionId | None`."""
    if get_origin(declared) is Annotated:
        return get_args(declared)[1].description or ""
    if get_origin(declared) in (Union, UnionType):
        return next(filter(None, map(_description_of, get_args(declared))), "")
    return ""


def constants_of(module: str) -> dict[str, str]:
    """The docstrings of a module's constants, by their names."""
    return {name: text for name, text in _described(module).items() if name.isupper()}


def paragraphs(docstring: str) -> str:
    """Without the line breaks inside of a paragraph; lists keep theirs."""
    parts = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(part if part.startswith(("* ", "1. ")) else " ".join(part.split()) for part in parts)


@cache
def _described(module: str) -> dict[str, str]:
    """`Class.field` or `CONSTANT` -> its docstring."""
    if not module.startswith(("shared.", "services.")):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    found = _strings_after(tree.body, "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= _strings_after(node.body, f"{node.name}.")
    return found


def _strings_after(body: list[ast.stmt], prefix: str) -> dict[str, str]:
    found = {}
    for node, after in itertools.pairwise(body):
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and isinstance(after.value.value, str):
            found[prefix + target.id] = paragraphs(after.value.value)
    return found
