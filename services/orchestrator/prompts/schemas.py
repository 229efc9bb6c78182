"""JSON Schemas for the answers of roles, and for a plan with the tools of this process.

They are simple enough for every engine: no references, only common keywords, all fields required. Every text
and list has a maximum, since a model that is guided by a schema does not stop by itself. Code that uses an
answer checks it again.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.orchestrator.turn.thoughts import LONGEST_TEXT, MOST_ITEMS, Plan

Schema = dict[str, Any]
_KEPT: Final = frozenset({"title", "type", "enum", "const", "items", "properties", "required", "anyOf"})
_LONGEST_LINE: Final = 200
"""Characters of a text in a list."""


def schema_of(kind: type[msgspec.Struct]) -> Schema:
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    plain: Schema = _plain(schema, parts, LONGEST_TEXT)
    return {**plain, "required": list(plain["properties"])}


def plan_schema(tools: Mapping[str, Schema]) -> Schema:
    """`tools`: by name the schema of the arguments. A plan can only call these, with arguments that fit."""
    schema = schema_of(Plan)
    calls = [_call(name, arguments) for name, arguments in tools.items()]
    schema["properties"]["calls"] = (
        {"type": "array", "items": {"anyOf": calls}, "maxItems": MOST_ITEMS}
        if calls
        else {"type": "array", "items": {"type": "null"}, "maxItems": 0}
    )
    return schema


def _call(name: str, arguments: Schema) -> Schema:
    properties = {
        "id": {"type": "string", "maxLength": 16},
        "tool": {"const": name},
        "arguments": _plain(arguments, {}, LONGEST_TEXT),
        "after": {"type": "array", "items": {"type": "string", "maxLength": 16}, "maxItems": MOST_ITEMS},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _plain(schema: Any, parts: Mapping[str, Schema], longest: int) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _plain(parts.get(schema["$ref"], {}), parts, longest)
    plain = {key: value for key, value in schema.items() if key in _KEPT}
    if "anyOf" in plain:
        plain["anyOf"] = [_plain(one, parts, longest) for one in plain["anyOf"]]
    kinds = plain.get("type")
    if kinds == "string" and not plain.keys() & {"enum", "const"}:
        plain["maxLength"] = min(longest, schema.get("maxLength", longest))
    if kinds == "array":
        plain |= {"items": _plain(schema.get("items", {}), parts, _LONGEST_LINE), "maxItems": MOST_ITEMS}
    if kinds == "object" and "properties" in schema:
        plain["properties"] = {
            name: _plain(value, parts, longest) for name, value in schema["properties"].items()
        }
        plain["additionalProperties"] = False
        if "title" in plain and isinstance(plain["title"], str):
            plain["required"] = list(plain["properties"])
    return plain
