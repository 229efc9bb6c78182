"""The JSON Schemas of all messages, with what the code says of each field."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from docs.builder.docstrings import meaning_of
from docs.builder.entries import Struct
from docs.builder.types_in_words import types_of
from shared.contract import headers
from shared.contract.ways import constants_of, text_of

REFERENCE: Final = "#/components/schemas/{name}"
Json = dict[str, Any]


def schemas_of(kinds: Iterable[Struct]) -> dict[str, Json]:
    """By name: these structs, and those that stand inside of them."""
    kinds = list(kinds)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    structs = {kind.__name__: kind for kind in kinds}
    for kind in kinds:
        structs |= {one.__name__: one for one in structs_in(kind)}
    return {name: _described(structs[name], schemas[name]) for name in sorted(schemas)}


def headers_schema(names: Iterable[str]) -> Json:
    by_value = {getattr(headers, name): text for name, text in constants_of(headers.__name__).items()}
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": by_value[name]} for name in names},
    }


def structs_in(kind: Struct) -> set[Struct]:
    """Those that its fields hold, at whatever depth."""
    found: set[Struct] = set()
    for declared in types_of(kind).values():
        for one in _structs_of(declared) - found:
            found |= {one} | structs_in(one)
    return found


def _structs_of(declared: Any) -> set[Struct]:
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        return {declared}
    return set().union(*map(_structs_of, getattr(declared, "__args__", ())))


def _described(kind: Struct, schema: Json) -> Json:
    """msgspec does not read the docstrings of fields."""
    properties = schema.get("properties", {})
    described = {name: _with_description(one, meaning_of(kind, name)) for name, one in properties.items()}
    text = text_of(kind)
    return {**schema, **({"description": text} if text else {}), "properties": described}


def _with_description(schema: Json, text: str) -> Json:
    if not text:
        return schema
    # Next to a $ref, JSON Schema (draft 7) reads nothing else.
    return {"allOf": [schema], "description": text} if "$ref" in schema else {**schema, "description": text}
