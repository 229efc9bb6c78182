"""The schemas that engines write by."""

from typing import Any

import jsonschema
import msgspec
import pytest

from services.orchestrator.prompts.schemas import plan_schema, schema_of
from services.orchestrator.tools.built_in.calculator import calculator
from services.orchestrator.tools.built_in.clock_now import clock_now
from services.orchestrator.turn.thoughts import Analysis, Gate, Plan, Verdict

TOOLS = {tool.name: tool.schema for tool in (calculator(), clock_now(None))}  # type: ignore[arg-type]  # never called


def ends(schema: Any) -> bool:
    """Every text and list in it has a greatest length."""
    if isinstance(schema, list):
        return all(ends(one) for one in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const"} and "maxLength" not in schema:
        return False
    if schema.get("type") == "array" and "maxItems" not in schema:
        return False
    return all(ends(value) for value in schema.values())


@pytest.mark.parametrize("kind", [Analysis, Gate, Plan, Verdict])
def test_a_thought_fits_its_schema_and_comes_to_an_end(kind: type[msgspec.Struct]) -> None:
    schema = schema_of(kind)

    jsonschema.validate(msgspec.to_builtins(kind()), schema)
    assert schema["title"] == kind.__name__
    assert "$ref" not in str(schema)
    assert ends(schema)


def call(tool: str, **arguments: object) -> dict[str, Any]:
    return {"id": "a", "tool": tool, "arguments": arguments, "after": []}


def plan(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"goals": [], "calls": list(calls), "is_done": True}


def test_a_plan_calls_the_tools_that_there_are_with_what_they_take() -> None:
    schema = plan_schema(TOOLS)

    jsonschema.validate(plan(call("calculator", expression="1 + 1")), schema)
    assert ends(schema)
    for wrong in (call("shell.run"), call("calculator"), call("calculator", expression="1", more=2)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(plan(wrong), schema)


def test_without_tools_nothing_is_called() -> None:
    jsonschema.validate(plan(), plan_schema({}))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plan(call("calculator", expression="1")), plan_schema({}))


def test_of_others_schemas_only_what_every_engine_knows_is_kept() -> None:
    odd = {
        "type": "object",
        "properties": {"path": {"type": "string", "pattern": "(?=x)", "format": "uri"}, "n": {"$ref": "#/x"}},
        "required": ["path"],
        "$defs": {"x": {"type": "integer"}},
    }

    schema = plan_schema({"files.read": odd})

    arguments = schema["properties"]["calls"]["items"]["anyOf"][0]["properties"]["arguments"]
    assert arguments["properties"] == {"path": {"type": "string", "maxLength": 1000}, "n": {}}
