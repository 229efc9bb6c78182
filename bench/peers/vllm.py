"""Pandora's raw model with the `vllm` engine against vLLM's own server: the same tiny model, 8 at once.

It runs in the environment of `make test-vllm`.
"""

import re
import sys
from pathlib import Path

from bench.peers.sides import KEY
from bench.running.figures import Figure, ratio
from bench.running.load import load
from bench.running.parts import answering, bare_environment
from bench.running.run import Run
from tests.live import tiny_model
from tests.servers.ports import free_ports

CONCURRENT = 8
GOAL = 1.2
_TOKENS = 64
_SHARE_OF_MEMORY = "0.2"
_COUNTED = re.compile(rb'"completion_tokens": ?(\d+)')


async def measure(run: Run) -> list[Figure]:
    rounds, requests = (2, 32) if run.quick else (5, 256)
    model = run.folder / "model"
    model.mkdir(parents=True)
    tiny_model.build(model)
    (port,) = free_ports(1)
    installation = run.installation(
        "pandora",
        INFERENCE_ENGINE="vllm",
        MODEL=str(model),
        VLLM_ENFORCE_EAGER="true",
        VLLM_GPU_MEMORY_UTILIZATION=_SHARE_OF_MEMORY,
        API_KEYS=f"bench:{KEY}",
    )
    url = f"http://127.0.0.1:{port}/health"
    async with (
        installation.running("nats", "inference", "gateway"),
        answering(_server(model, port), url, bare_environment()),
    ):
        pairs = []
        for _ in range(1 + rounds):
            ours = await _tokens_per_second(installation.gateway_port, str(model), requests)
            theirs = await _tokens_per_second(port, str(model), requests)
            pairs.append((ours, theirs))
    measured = pairs[1:]  # The first round is to warm up.
    return [
        ratio(
            "peers_vllm.tokens_to_vllm",
            [ours for ours, _ in measured],
            [theirs for _, theirs in measured],
            "tokens/s",
            goal=GOAL,
        )
    ]


def _server(model: Path, port: int) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(port), "--api-key", KEY]
    same = ["--enforce-eager", "--gpu-memory-utilization", _SHARE_OF_MEMORY]
    return [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(model),
        *address,
        *same,
    ]


async def _tokens_per_second(port: int, model: str, requests: int) -> float:
    """By the usage that each answer tells: a random model may end before its limit."""
    bodies = (
        {
            "model": model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": _TOKENS,
            "temperature": 0.0,
            "prompt": f"Say it, number {number}.",
        }
        for number in range(requests)
    )
    done = await load(
        port,
        "/v1/completions",
        bodies,
        requests=requests,
        concurrent=CONCURRENT,
        marker=b"data: ",
        key=KEY,
    )
    return sum(int(_COUNTED.findall(answer.body)[-1]) for answer in done.answers) / done.seconds
