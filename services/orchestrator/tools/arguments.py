"""Checks arguments against a tool's schema, and describes the schema for a prompt."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry

_MOST_FAULTS: Final = 3
_LONGEST_FAULT: Final = 200
_NOTHING_ELSEWHERE: Final[Registry[Any]] = Registry()
"""Prevents the library from fetching a `$ref` to another address."""


def faults_of(arguments: Any, schema: Mapping[str, Any]) -> list[str]:
    """Each fault names its field; empty where the arguments fit."""
    if not isinstance(arguments, dict):
        return [f"the arguments must be an object, not {_shown(arguments)}"]
    if not all(isinstance(name, str) for name in arguments):
        return ["the names of arguments must be texts"]
    try:
        faults = Draft202012Validator(schema, registry=_NOTHING_ELSEWHERE).iter_errors(arguments)
        return [_fault(fault) for fault in islice(faults, _MOST_FAULTS)]
    except Exception as error:  # The schema of another server may be broken in any way.
        return [f"the arguments cannot be checked ({type(error).__name__}); make them simpler"]


def _fault(fault: ValidationError) -> str:
    """Shortens the library's message, which quotes the whole value."""
    place = fault.json_path.removeprefix("$").lstrip(".")
    what = fault.message
    if len(what) > _LONGEST_FAULT:
        what = (
            f"{_shown(fault.instance)[:40]}… does not fit {fault.validator}: {_shown(fault.validator_value)}"
        )
    return f"{_cut(place)}: {_cut(what)}" if place else _cut(what)


def without_patterns(schema: Any) -> Any:
    """Drops regular expressions: those of other programs can take for ever. Whoever runs the tool
    checks its own."""
    if isinstance(schema, list):
        return [without_patterns(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_patterns(value)
        for key, value in schema.items()
        if key != "patternProperties" and not (key == "pattern" and isinstance(value, str))
    }


def described_tool(name: str, description: str, schema: Mapping[str, Any]) -> str:
    """For a prompt."""
    return f"{name}: {description}\n{described_arguments(schema)}"


def described_arguments(schema: Mapping[str, Any]) -> str:
    """One line for each argument: `- query (string): what to look for`."""
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    if not properties:
        return "  no arguments"
    return "\n".join(f"  - {name}{_kind(part, name in required)}" for name, part in properties.items())


def _kind(part: Any, is_required: bool) -> str:
    if not isinstance(part, dict):
        return ""
    notes = [_type(part)]
    if not is_required:
        notes.append("optional" if part.get("default") is None else f"default {_shown(part['default'])}")
    description = str(part.get("description", ""))
    return f" ({', '.join(notes)})" + (f": {description}" if description else "")


def _type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return f"one of {_shown(part['enum'])}"
    plain = part.get("type")
    return plain if isinstance(plain, str) and plain not in ("object", "array") else _schema(part)


def _schema(part: dict[str, Any]) -> str:
    """Describes anything but a single plain value by its JSON Schema."""
    return _shown({key: value for key, value in part.items() if key not in ("description", "default")})


def _shown(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str), 4 * _LONGEST_FAULT)


def _cut(text: str, longest: int = _LONGEST_FAULT) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
