"""`pandora bench`."""

import asyncio
from typing import Annotated

import typer

from cli.terminal.failure import CommandFailed
from cli.terminal.options import Json

app = typer.Typer()


@app.command()
def bench(
    url: Annotated[str, typer.Argument(help="The server, such as http://127.0.0.1:9000 or .../v1.")],
    model: Annotated[str, typer.Option(help="The model to ask; left out: the only one that there is.")] = "",
    key: Annotated[str, typer.Option(help="API key; for the own gateway that of PANDORA_API_KEY.")] = "",
    concurrency: Annotated[int, typer.Option(min=1, max=4096, help="Requests at a time.")] = 8,
    requests: Annotated[int, typer.Option(min=1, help="How many in all.")] = 64,
    seconds: Annotated[float, typer.Option(min=0, help="Go on for so long instead; 0: by --requests.")] = 0,
    tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 128,
    prompt: Annotated[str, typer.Option(help="What is asked.")] = "Tell me about bees.",
    as_json: Json = False,
) -> None:
    """Measure a server that speaks OpenAI's API. Pandora's recipes are models too; their turns are stored."""
    from cli.bench.load import Plan, measure

    plan = Plan(
        model=model, concurrency=concurrency, requests=requests, seconds=seconds, tokens=tokens, prompt=prompt
    )
    try:
        asyncio.run(measure(url, key, plan, as_json=as_json))
    except KeyboardInterrupt:
        raise CommandFailed("\nLeft; nothing is measured.", 130) from None
