"""Tools that a turn's client offers and runs itself."""

from typing import Annotated, Any, Final

import msgspec

MOST_TOOLS: Final = 64


class ClientTool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the turn's client runs, where the recipe has `client_tools`."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    """The model calls it by this name. A tool of Pandora's own with this name goes before it."""
    description: Annotated[str, msgspec.Meta(max_length=4_000)] = ""
    """Tells the model what it does, and when to call it."""
    parameters: dict[str, Any] | None = None
    """The JSON Schema of its arguments, an object; null: it has none."""


ClientTools = Annotated[list[ClientTool], msgspec.Meta(max_length=MOST_TOOLS)]
