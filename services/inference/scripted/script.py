"""The rules of a script: which request gets which answer. docs/inference.md describes the file."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec

from services.inference.scripted.calls import Call
from services.inference.scripted.request import Asked
from shared.contract.requests import RoleName

Fail = Literal["refused", "transient", "garbage", "cut", "broken", "silence"]
"""refused: for good. transient: not now. garbage: text that is no JSON. cut: half the answer, as a limit of
tokens cuts it. broken: half the answer, then an error. silence: nothing, until it is aborted."""
PLACEHOLDERS = frozenset({"question", "text", "passages", "model", "extract", "summary", "topics"})
_PATTERNS = ("question", "text", "result")
_PLACEHOLDER = re.compile(r"\{([a-zA-Z_]\w*)\}")
Value = str | list[str]


class ScriptError(ValueError):
    """The message names the rule and its field, or the line."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Conditions, and the answer to requests that meet all of them. A missing condition is always met."""

    role: RoleName | None = None
    phase: str | None = None
    schema: str | None = None
    question: str | None = None
    """A regular expression that is searched in the user's own words."""
    text: str | None = None
    """A regular expression that is searched in the whole last message of the user."""
    result: str | None = None
    """A regular expression that is searched in the result of a tool, where that is the last message."""
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The rule answers at most so many requests of a turn."""

    answer: str | list[str] | None = None
    """Of a list, each further request of a turn gets the next entry; the last entry repeats."""
    json: dict[str, Any] | list[dict[str, Any]] | None = None
    calls: list[Call] = []
    """Of tools. The rule is only for requests that offer them."""
    words_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None
    delay_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    fail: Fail | None = None

    def __post_init__(self) -> None:
        groups = {name for field in _PATTERNS for name in _groups(field, getattr(self, field))}
        if self.answer is not None and self.json is not None:
            raise ValueError("has both `answer` and `json`; leave one of them out")
        is_silent = self.answer is None and self.json is None and not self.calls
        if is_silent and self.fail in {None, "cut", "broken"}:
            raise ValueError(
                "says nothing: give it an `answer`, a `json` table, `calls`, or a `fail` that needs none"
            )
        if [] in (self.answer, self.json):
            raise ValueError("has an empty list in `answer` or `json`; put at least one entry in")
        said = [self.answer, self.json, msgspec.to_builtins(self.calls)]
        for name in sorted(set(_names_in(said)) - groups - PLACEHOLDERS):
            known = ", ".join(sorted(groups | PLACEHOLDERS))
            raise ValueError(f"answers with {{{name}}}, which nothing fills in; known here: {known}")

    def match(self, asked: Asked) -> dict[str, str] | None:
        """Its named groups; None where a condition is not met."""
        wanted = ((self.role, asked.role), (self.phase, asked.phase), (self.schema, asked.schema))
        if any(want is not None and want != is_there for want, is_there in wanted):
            return None
        groups: dict[str, str] = {}
        for field in _PATTERNS:
            pattern: str | None = getattr(self, field)
            if pattern is not None:
                found = re.search(pattern, getattr(asked, field))
                if found is None:
                    return None
                groups |= {name: value or "" for name, value in found.groupdict().items()}
        return groups

    def said(self, time: int) -> str | dict[str, Any]:
        """The template of its answer to the request number `time` of a turn, from 0; "" where it has none."""
        entries: Any = self.answer if self.json is None else self.json
        if isinstance(entries, list):
            entry: str | dict[str, Any] = entries[min(time, len(entries) - 1)]
            return entry
        return entries or ""


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules, tried in order, and the names of the models that it offers."""

    rule: list[Rule]
    models: Annotated[list[str], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["scripted"]
    )


def parse_script(text: str) -> Script:
    """Raises ScriptError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"this is no TOML: {error}") from error
    rules = table.get("rule")
    if not isinstance(rules, list) or not rules:
        raise ScriptError("there is no [[rule]] in it; write at least one")
    for number, rule in enumerate(rules, 1):
        _read(rule, Rule, f"rule {number}: ")
    script: Script = _read(table, Script, "")
    return script


def _read(table: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        reason = str(error).replace("`$.", "`")
        raise ScriptError(f"{where}{reason}{_allowed(reason)}") from error


def _allowed(reason: str) -> str:
    """Names the allowed fields or values."""
    if "unknown field" in reason:
        return f"; a rule has {', '.join(Rule.__struct_fields__)}; outside of the rules only models may stand"
    for field, values in (("role", get_args(RoleName)), ("fail", get_args(Fail))):
        if reason.endswith(f"at `{field}`"):
            return f"; it may be {', '.join(values)}"
    return ""


def fill(template: Any, values: Mapping[str, Value]) -> Any:
    """Fills in the placeholders. A text that is only one placeholder can become a list."""
    match template:
        case str():
            whole = _PLACEHOLDER.fullmatch(template)
            if whole and whole[1] in values:
                return values[whole[1]]
            return _PLACEHOLDER.sub(lambda found: _as_text(values.get(found[1], found[0])), template)
        case dict():
            return {key: fill(value, values) for key, value in template.items()}
        case list():
            return [fill(value, values) for value in template]
        case _:
            return template


def names_in(template: Any) -> set[str]:
    return set(_names_in(template))


def _names_in(template: Any) -> Iterator[str]:
    match template:
        case str():
            yield from _PLACEHOLDER.findall(template)
        case dict():
            for value in template.values():
                yield from _names_in(value)
        case list():
            for value in template:
                yield from _names_in(value)


def _groups(field: str, pattern: str | None) -> set[str]:
    try:
        return set(re.compile(pattern or "").groupindex)
    except re.error as error:
        raise ValueError(f"has a regular expression in `{field}` that cannot be read: {error}") from error


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else ", ".join(value)
