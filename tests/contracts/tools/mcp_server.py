"""A small server of the Model Context Protocol: over stdio, or by HTTP on the port that it is given.

`python tests/contracts/tools/mcp_server.py [port]`
"""

import asyncio
import os
import sys
from typing import Any

from mcp.server.mcpserver import Image, MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("bees", log_level="ERROR")


@server.tool(description="Adds two whole numbers.", annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> int:
    return a + b


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("there is no honey")


@server.tool()
async def wait(seconds: float) -> str:
    """Answers late."""
    await asyncio.sleep(seconds)
    return "at last"


@server.tool()
def die() -> str:
    """Ends the server at once."""
    os._exit(3)


@server.tool()
def flood(characters: int) -> str:
    """Returns a long text."""
    return "x" * characters


@server.tool(structured_output=False)
def picture() -> list[Any]:
    """A text and a picture."""
    return ["a bee", Image(data=b"\x89PNG", format="png")]


@server.tool()
def environment(name: str) -> str:
    """One variable of the server's environment."""
    return os.environ.get(name, "not set")


@server.tool()
def process() -> int:
    """Its id."""
    return os.getpid()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
