"""`pandora mcp`."""

import asyncio

import typer

app = typer.Typer()


@app.command()
def mcp() -> None:
    """Serve the Model Context Protocol on stdin and stdout, for programs that start it as their server."""
    from cli.mcp.stdio import serve_stdio

    asyncio.run(serve_stdio())
