"""Who sends what to whom, as the contract says: the first words of each docstring, `indexer -> anyone: `.

The pages about the bus and the rights of each process on it are made of this.
"""

import ast
import inspect
import itertools
import re
import sys
from functools import cache
from typing import Any, Final

import msgspec

from shared.contract import subjects
from shared.contract.events import STORED_EVENTS
from shared.contract.requests import Abort, Aborted, PrefixHeld, Request

ANYONE: Final = "anyone"
"""In the place of a sender or receiver: the gateway, and every program of a user."""
_WAY = re.compile(r"(?P<senders>[a-z, ]+) -> (?P<receivers>[a-z, ]+): (?P<text>.*)", re.DOTALL)


class Way(msgspec.Struct, frozen=True):
    """`indexer -> anyone: search finds the turn from now on.`"""

    senders: list[str]
    receivers: list[str]
    text: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One subject and its way."""

    address: str
    """What stands in braces is one part of the subject; in `$KV.` the key may be several."""
    way: Way
    message: type[msgspec.Struct] | None = None
    """None: its body is no JSON of the contract, or one of several messages."""
    is_asked: bool = False
    """An answer may come back to the inbox that it names."""


def routes() -> list[Route]:
    """All that travels on the bus. The live events of a turn are one."""
    stored = [Route(address=kind.subject, way=way_of(text_of(kind)), message=kind) for kind in STORED_EVENTS]
    asked = [
        Route(address=address, way=way_of(text_of(kind)), message=kind, is_asked=True)
        for kind in requests()
        for address in addresses_of(kind)
    ]
    to_all = [
        Route(address=kind.subject, way=way_of(text_of(kind)), message=kind, is_asked=reply is not None)
        for kind, reply in TO_ALL.items()
    ]
    plain = [
        Route(address=getattr(subjects, name), way=way_of(text))
        for name, text in constants_of(subjects.__name__).items()
    ]
    return [*stored, *asked, *to_all, *plain]


TO_ALL: Final[dict[type[Abort | PrefixHeld], type[Aborted] | None]] = {Abort: Aborted, PrefixHeld: None}
"""Messages outside of a queue group, and their answers: each process of the receiving service hears them."""


def requests() -> list[type[Request[Any]]]:
    """Those of the contract, in no order. Tests have others."""
    return [kind for kind in Request.__subclasses__() if kind.__module__.startswith("shared.contract.")]


def addresses_of(kind: type[Request[Any]]) -> list[str]:
    """The subjects that a request is sent to: `inference.models`, `inference.models.{engine}`."""
    name = kind.subject.removesuffix(".*")
    part = kind.last_part
    addresses = [f"{name}.{{{part}}}"] if part else []
    if not part or (kind.subject == name and _may_be_empty(kind, part)):
        addresses.insert(0, kind.subject)
    return addresses


def _may_be_empty(kind: type[Request[Any]], part: str) -> bool:
    return any(field.name == part and not field.required for field in msgspec.structs.fields(kind))


# --- docstrings ---


def way_of(docstring: str) -> Way:
    """Raises ValueError where it does not begin with who sends to whom."""
    found = _WAY.fullmatch(docstring)
    if found is None:
        raise ValueError(f"begin with `sender -> receiver: `, not with {docstring[:60]!r}")
    return Way(found["senders"].split(", "), found["receivers"].split(", "), found["text"])


def text_of(kind: type) -> str:
    """The docstring, each paragraph on one line. Empty where the class has none of its own."""
    return paragraphs(vars(kind).get("__doc__") or "")


def paragraphs(docstring: str) -> str:
    """Without the line breaks inside of a paragraph; lists keep theirs."""
    parts = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(part if part.startswith(("* ", "1. ")) else " ".join(part.split()) for part in parts)


def constants_of(module: str) -> dict[str, str]:
    """The docstrings of a module's constants, by their names."""
    return {name: text for name, text in described(module).items() if name.isupper()}


@cache
def described(module: str) -> dict[str, str]:
    """`Class.field` or `CONSTANT` -> its docstring, a string right after it."""
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
