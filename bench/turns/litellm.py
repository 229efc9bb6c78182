"""Streamed tokens through a turn without memory, against LiteLLM's proxy over the same engine.

LiteLLM keeps nothing: our turn is stored before it is answered, written down, and goes on after a crash.
"""

import itertools
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bench.engines.instant import MODEL, TOKENS, WORD
from bench.running.environments import environment
from bench.running.figures import Figure, ratio
from bench.running.load import load
from bench.running.parts import answering, server
from bench.running.run import Run
from tests.servers.ports import free_ports

CONCURRENT = 16
GOAL = 20.0
_VERSION = "litellm[proxy]==1.101.0"
_CONFIG = """
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "http://127.0.0.1:{port}/v1", api_key: none}}
litellm_settings: {{telemetry: false}}
"""


async def measure(run: Run) -> list[Figure]:
    rounds, ours, theirs = (2, 96, 48) if run.quick else (5, 768, 192)
    model_port, litellm_port = free_ports(2)
    turns = run.installation(
        INFERENCE_ENGINE="openai",
        OPENAI_BASE_URL=f"http://127.0.0.1:{model_port}/v1",
        CONTEXT_PASSAGES="0",
        HISTORY_TURNS="0",
    )
    async with (
        server("bench.engines.instant_server", model_port, "tokens"),
        _litellm(run.folder, litellm_port, model_port),
        turns.running("nats", ("orchestrator", "inference", "gateway")),
    ):
        pairs = []
        for _ in range(1 + rounds):
            one = await _tokens_per_second(turns.gateway_port, "/v1/turns", _turns(), ours, times=2)
            other = await _tokens_per_second(
                litellm_port, "/v1/chat/completions", _completions(), theirs, times=1
            )
            pairs.append((one, other))
    measured = pairs[1:]  # The first round is to warm up.
    return [
        ratio(
            "litellm.tokens_to_litellm",
            [one for one, _ in measured],
            [other for _, other in measured],
            "tokens/s",
            goal=GOAL,
        )
    ]


@asynccontextmanager
async def _litellm(folder: Path, port: int, model_port: int) -> AsyncIterator[None]:
    command = _command(folder, port, model_port)
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "TMPDIR")}
    surroundings = {**kept, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    async with answering(command, f"http://127.0.0.1:{port}/health/liveliness", surroundings):
        yield


def _command(folder: Path, port: int, model_port: int) -> list[str]:
    """A worker for each core."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "litellm.yaml"
    config.write_text(_CONFIG.format(model=MODEL, port=model_port))
    workers = str(os.cpu_count())
    program = environment("litellm", _VERSION).with_name("litellm")
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return [str(program), "--config", str(config), *address, "--run_gunicorn", "--num_workers", workers]


async def _tokens_per_second(
    port: int, path: str, bodies: Iterator[Mapping[str, object]], requests: int, *, times: int
) -> float:
    """`times`: how often a whole answer tells its tokens. Raises RuntimeError where some did not come."""
    done = await load(port, path, bodies, requests=requests, concurrent=CONCURRENT, marker=WORD.encode())
    for answer in done.answers:
        if (found := answer.body.count(WORD.encode())) != TOKENS * times:
            raise RuntimeError(f"{found} tokens came, not {TOKENS * times}: {answer.body[-500:]!r}")
    return done.per_second * TOKENS


def _turns() -> Iterator[Mapping[str, object]]:
    return ({"input": f"Say it, number {number}."} for number in itertools.count())


def _completions() -> Iterator[Mapping[str, object]]:
    return (
        {
            "model": MODEL,
            "stream": True,
            "messages": [{"role": "user", "content": f"Say it, number {number}."}],
        }
        for number in itertools.count()
    )
