"""All eight phases of a turn: what they cost beside their model, one turn at a time and sixteen at once.

Overhead: a turn of eight phases whose model answers at once, with one tool call and without a search of
memory (which `search` measures). First token: with a model that thinks for a while before each answer, the
sum of what was waited for it until the answer began, against the whole time until then; meanwhile memory is
searched.
"""

import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count, islice
from statistics import median

from bench.engines.instant_worker import THINK_SECONDS
from bench.index.indexed import Indexed
from bench.running.figures import Figure, percentile, plain, ratio
from bench.running.load import Answer, Client, load
from bench.running.run import Run
from bench.running.sentences import sentences
from bench.turns.whole import saved_id

MARKER = b"output.delta"
CONCURRENT = 16
THINK = 0.2
_BEFORE_THE_ANSWER = 4
"""Questions to the model until the answer begins, its own included: analysis, gate, plan, synthesis."""
_PHASES = 8
_RECIPE = """
phases = ["analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation", "save"]
tools = ["clock.now"]
[budget]
context_passages = {passages}
"""
_ENDED = re.compile(rb'"type":"phase.ended"')


async def measure(run: Run) -> list[Figure]:
    asked, turns, thoughtful = (10, 32, 4) if run.quick else (100, 320, 30)
    bare = await _turns(run, "bare", passages=0, asked=asked, turns=turns)
    thinking = await _turns(run, "thinking", passages=6, asked=thoughtful, turns=0, think=THINK)
    a_phase = [1000 * answer.seconds / _PHASES for answer in bare[0]]
    first = [answer.first_seconds for answer in thinking[0]]
    return [
        plain("phases.overhead_1", median(a_phase), "ms", goal=3.0, ours="a phase"),
        plain("phases.overhead_1_p95", percentile(a_phase, 0.95), "ms"),
        plain("phases.per_second_16", bare[1] * _PHASES, "phases/s", ours=f"{bare[1]:.3g} turns/s"),
        ratio(
            "phases.first_token_to_model",
            [1 / seconds for seconds in first],
            [1 / (_BEFORE_THE_ANSWER * THINK)] * len(first),
            "1/s",
            goal=0.95,
        ),
    ]


async def _turns(
    run: Run, name: str, *, passages: int, asked: int, turns: int, think: float = 0.0
) -> tuple[list[Answer], float]:
    """(answers one at a time, turns/s of sixteen at once)."""
    recipes = run.folder / f"recipes-{name}"
    recipes.mkdir(parents=True)
    (recipes / "all.toml").write_text(_RECIPE.format(passages=passages))
    installation = run.installation(name, RECIPES_DIR=str(recipes), DEFAULT_RECIPE="all", REFLECTOR="off")
    installation.environment[THINK_SECONDS] = str(think)
    said, sessions = sentences(seed=5), count()
    async with AsyncExitStack() as stack:
        services = ("orchestrator", "inference", "gateway")
        await stack.enter_async_context(
            installation.running(
                "nats", ("postgres",), ("indexer", *services), inference="bench.engines.instant_worker"
            )
        )
        indexed = await stack.enter_async_context(Indexed.followed(await installation.bus()))
        one_by_one = await _one_by_one(installation.gateway_port, indexed, _bodies(said, sessions), asked)
        if not turns:
            return one_by_one, 0.0
        done = await load(
            installation.gateway_port,
            "/v1/turns",
            _bodies(said, sessions),
            requests=turns,
            concurrent=CONCURRENT,
            marker=MARKER,
        )
        _all_phases(done.answers)
        return one_by_one, done.per_second


async def _one_by_one(
    port: int, indexed: Indexed, bodies: Iterator[dict[str, str]], asked: int
) -> list[Answer]:
    client = await Client.connected(port, MARKER)
    try:
        answers = []
        for number, body in enumerate(islice(bodies, 5 + asked)):
            answer = await client.post("/v1/turns", body)
            await indexed.wait_for([saved_id(answer)])  # To embed it takes both cores.
            if number >= 5:
                answers.append(answer)
    finally:
        client.close()
    _all_phases(answers)
    return answers


def _all_phases(answers: list[Answer]) -> None:
    for answer in answers:
        # The phase save is not announced; older revisions do.
        if b"event: turn.saved" not in answer.body or len(_ENDED.findall(answer.body)) < _PHASES - 1:
            raise RuntimeError(json.dumps(answer.body[-800:].decode(errors="replace")))


def _bodies(said: Iterator[str], sessions: Iterator[int]) -> Iterator[dict[str, str]]:
    return ({"input": one, "session_id": f"bench-{next(sessions)}"} for one in said)
