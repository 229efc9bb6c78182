"""The tools of one turn: those of Pandora that its recipe names, and those that its client offers."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from services.orchestrator.tools.arguments import described_tool
from services.orchestrator.tools.client import schemas_of
from services.orchestrator.tools.ports import Tools
from services.orchestrator.turn.state import Turn


class TurnTools:
    def __init__(self, turn: Turn, tools: Tools) -> None:
        self._tools = tools
        self._own = tools.allowed(turn.recipe.tools)
        offered = turn.request.tools if turn.recipe.client_tools else []
        self._offered = {tool.name: tool for tool in offered if tool.name not in self._own}

    @property
    def names(self) -> list[str]:
        return [*self._own, *self._offered]

    @cached_property
    def of_client(self) -> Mapping[str, dict[str, Any]]:
        """By name the JSON Schema of the arguments of those that the client runs."""
        return schemas_of(list(self._offered.values()))

    def schemas(self) -> dict[str, dict[str, Any]]:
        return {**self._tools.schemas(self._own), **self.of_client}

    def described(self) -> str:
        """For a model."""
        offered = [
            described_tool(name, tool.description, self.of_client[name])
            for name, tool in self._offered.items()
        ]
        return "\n".join([*filter(None, [self._tools.described(self._own)]), *offered])

    def needs_approval(self, name: str) -> bool:
        """Whether a person has to allow each call."""
        return name not in self._offered and self._tools.needs_approval(name)
