"""The gateways that are measured, over one and the same upstream, each with its authentication and limits."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from bench.engines.instant import MODEL
from bench.running.environments import environment
from bench.running.parts import answering, server
from bench.running.run import Run
from tests.servers.ports import free_ports

LITELLM = "litellm[proxy]==1.101.0"
TENSORZERO = "tensorzero==2026.6.0"
KEY = "sk-a-key-for-the-bench"
_MANY = 1_000_000_000
_LITELLM_CONFIG = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{port}/v1
      api_key: none
      rpm: {many}
      tpm: {many}
litellm_settings: {{telemetry: false}}
router_settings: {{optional_pre_call_checks: ["enforce_model_rate_limits"]}}
general_settings: {{master_key: {key}}}
"""
_TENSORZERO_CONFIG = """
[gateway]
disable_pseudonymous_usage_analytics = true
observability.enabled = false
[models.{model}]
routing = ["upstream"]
[models.{model}.providers.upstream]
type = "openai"
model_name = "{model}"
api_base = "http://127.0.0.1:{port}/v1/"
api_key_location = "none"
"""


class Side(msgspec.Struct, frozen=True):
    """Where a gateway answers, and its processes."""

    name: str
    port: int
    pids: tuple[int, ...]
    path: str = "/v1/chat/completions"
    model: str = MODEL
    key: str = KEY


@asynccontextmanager
async def running(run: Run) -> AsyncIterator[list[Side]]:
    """The upstream alone first, then Pandora, then the others."""
    async with AsyncExitStack() as stack:
        (port,) = free_ports(1)
        await stack.enter_async_context(server("bench.engines.instant_server", port, "tokens"))
        sides = [Side(name="upstream", port=port, pids=(), key="")]
        for start in (_pandora, _litellm, _tensorzero):
            sides.append(await stack.enter_async_context(start(run, port)))
        yield sides


@asynccontextmanager
async def _pandora(run: Run, upstream: int) -> AsyncIterator[Side]:
    """A raw model: no turn, and no orchestrator. What Pandora needs for it, and nothing else, runs."""
    limit = f"{_MANY}/day"
    installation = run.installation(
        "pandora",
        INFERENCE_ENGINE="openai",
        OPENAI_BASE_URL=f"http://127.0.0.1:{upstream}/v1",
        API_KEYS=f"bench:{KEY}",
        LIMIT_REQUESTS=limit,
        LIMIT_KEY_REQUESTS=limit,
        LIMIT_TOKENS=limit,
    )
    parts = ("nats", "redis", "inference", "gateway")
    async with installation.running("nats", "redis", ("inference", "gateway")):
        pids = tuple(installation.pid_of(part) for part in parts)
        yield Side(name="pandora", port=installation.gateway_port, pids=pids)


@asynccontextmanager
async def _litellm(run: Run, upstream: int) -> AsyncIterator[Side]:
    """A worker for each core. Limits of a key would want a database: they are of the model."""
    (port,) = free_ports(1)
    config = run.folder / "litellm.yaml"
    config.write_text(_LITELLM_CONFIG.format(model=MODEL, port=upstream, many=_MANY, key=KEY))
    program = environment("litellm", LITELLM).with_name("litellm")
    workers = ["--run_gunicorn", "--num_workers", str(os.cpu_count())]
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), *workers]
    own = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    async with answering(command, f"http://127.0.0.1:{port}/health/liveliness", _bare(own)) as pid:
        yield Side(name="litellm", port=port, pids=(pid,))


@asynccontextmanager
async def _tensorzero(run: Run, upstream: int) -> AsyncIterator[Side]:
    """The gateway of TensorZero's Python package. Its keys and limits want a database: it has neither."""
    (port,) = free_ports(1)
    config = run.folder / "tensorzero.toml"
    config.write_text(_TENSORZERO_CONFIG.format(model=MODEL, port=upstream))
    program = Path(__file__).with_name("tensorzero_gateway.py")
    command = [str(environment("tensorzero", TENSORZERO)), str(program), str(config), str(port)]
    async with answering(command, f"http://127.0.0.1:{port}/", _bare({})) as pid:
        told = msgspec.json.decode((run.folder / "tensorzero.toml.port").read_bytes(), type=int)
        yield Side(
            name="tensorzero",
            port=told,
            pids=(pid,),
            path="/openai/v1/chat/completions",
            model=f"tensorzero::model_name::{MODEL}",
            key="",
        )


def _bare(own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "TMPDIR")}
    return {**kept, **own}
