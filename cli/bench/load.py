"""`pandora bench`: many requests at a time, and what they took."""

import asyncio
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from uuid import uuid4

import msgspec

from cli.bench.figures import Figures, Spread, figures_of
from cli.bench.server import Measured, Server
from cli.terminal.failure import CommandFailed
from cli.terminal.output import console, plain_table, print_error, print_json, print_text
from cli.terminal.progress import spinner


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    concurrency: int
    requests: int
    seconds: float
    """0: as many requests as are named."""
    tokens: int
    prompt: str


async def measure(url: str, key: str, plan: Plan, *, as_json: bool) -> None:
    """Prints the figures. Raises CommandFailed where the first request fails, or all do."""
    server = Server(url, key)
    model = plan.model or await server.only_model()
    await server.answer(model, plan.prompt, plan.tokens)  # It also warms the server up.
    with spinner(f"{plan.concurrency} at a time") as tell:
        figures = await _Load(server, model, plan).run(tell)
    if as_json:
        print_json(msgspec.to_builtins(figures))
    else:
        _print(figures)


class _Load:
    def __init__(self, server: Server, model: str, plan: Plan) -> None:
        self._server = server
        self._model = model
        self._plan = plan
        self._run = uuid4().hex[:8]
        self._asked = 0
        self._answers: list[Measured] = []
        self._failures: Counter[str] = Counter()

    async def run(self, tell: Callable[[str], None]) -> Figures:
        began = perf_counter()
        until = began + self._plan.seconds if self._plan.seconds else None
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.concurrency):
                group.create_task(self._ask_on(until, tell))
        seconds = perf_counter() - began
        if not self._answers:
            said, _ = self._failures.most_common(1)[0]
            raise CommandFailed(f"All {self._asked} requests failed. The most of them: {said}")
        return figures_of(self._answers, dict(self._failures), seconds, self._model, self._plan.concurrency)

    async def _ask_on(self, until: float | None, tell: Callable[[str], None]) -> None:
        while perf_counter() < until if until else self._asked < self._plan.requests:
            self._asked += 1
            # Each question is another one: no server may answer from what it has just computed.
            prompt = f"{self._plan.prompt} ({self._run}-{self._asked})"
            try:
                self._answers.append(await self._server.answer(self._model, prompt, self._plan.tokens))
            except CommandFailed as error:
                self._failures[str(error)] += 1
            tell(f"{len(self._answers)} answers")


def _print(figures: Figures) -> None:
    print_text(
        f"{figures.model}: {figures.requests} answers in {figures.seconds:.1f} s, "
        f"{figures.concurrency} at a time\n"
        f"{figures.requests_per_second:.2f} requests/s, {figures.tokens_per_second:.1f} tokens/s"
        + ("" if figures.tokens_are_counted else " (pieces of text: the server tells no usage)")
    )
    table = plain_table("", "p50", "p90", "p99", "worst", right=("p50", "p90", "p99", "worst"))
    table.add_row("first token, ms", *_cells(figures.first_token, 1000))
    table.add_row("whole answer, ms", *_cells(figures.whole_answer, 1000))
    table.add_row("tokens/s of one answer", *_cells(figures.tokens_per_second_each, 1))
    console.print(table)
    for said, count in figures.failures.items():
        print_error(f"{count} failed: {said}")


def _cells(spread: Spread, scale: float) -> list[str]:
    return [f"{scale * value:,.1f}" for value in (spread.p50, spread.p90, spread.p99, spread.worst)]
