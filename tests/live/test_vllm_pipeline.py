"""The recipe `standard` over the whole stack, with vLLM and a tiny random model that sees.

The model talks nonsense, but its thoughts follow the schemas. Runs where vLLM is installed: `make test-vllm`.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.contracts.orchestrator.images_room import image_bytes
from tests.live.tiny_eyes import build_seeing, tokens_of_an_image
from tests.stack import Stack

pytest.importorskip("vllm", reason="vLLM is not installed here; see make test-vllm")
CONTEXT_TOKENS = 16_384
ROLES = """
[REFLEX]
max_tokens = 3000
[MIND]
max_tokens = 3000
[VOICE]
max_tokens = 60
[EYES]
max_tokens = 40
"""
RECIPE = """
phases = ["analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation", "save"]
tools = ["clock.now"]
[bounds]
rounds = 1
revisions = 0
"""


@pytest.fixture(scope="module")
async def vllm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("vllm")
    build_seeing(folder / "model", context_tokens=CONTEXT_TOKENS)
    (folder / "recipes").mkdir()
    (folder / "recipes" / "standard.toml").write_text(RECIPE)
    (folder / "roles.toml").write_text(ROLES)
    stack = Stack(
        {
            "INFERENCE_ENGINE": "vllm",
            "MODEL": str(folder / "model"),
            "VLLM_ENFORCE_EAGER": "true",
            "VLLM_GPU_MEMORY_UTILIZATION": "0.2",
            "RECIPES_DIR": str(folder / "recipes"),
            "ROLES_FILE": str(folder / "roles.toml"),
            "DEFAULT_RECIPE": "standard",
            "REFLECTOR": "off",
        }
    )
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


async def ended(stack: Stack, said: str | list[dict[str, str]], session: str) -> dict[str, Any]:
    status, turn = await stack.call("POST", "/v1/turns", {"input": said, "session_id": session})
    assert status == 202, turn
    async with asyncio.timeout(120):
        while True:
            _, view = await stack.call("GET", f"/v1/turns/{turn['id']}")
            if view["status"] in ("saved", "failed", "cancelled"):
                found: dict[str, Any] = view
                return found
            await asyncio.sleep(0.1)


async def test_every_thought_of_a_model_can_be_read(vllm: Stack) -> None:
    turns = [await ended(vllm, f"What is the time, and where is number {n}?", "thinking") for n in range(4)]

    for turn in turns:
        assert turn["status"] == "saved" or turn["error"].startswith("not_approved"), turn
        assert not turn["notes"], "each phase had its thought"
        phases = {phase["phase"]: phase for phase in turn["phases"]}
        assert {"analysis", "gate"} <= phases.keys()
        assert phases["analysis"]["role"] == "REFLEX"
        assert phases["analysis"]["input_tokens"] > 0
    cached = [turn["usage"]["cached_tokens"] for turn in turns[1:]]
    assert min(cached) > 0, "the prompts of a phase begin alike"


async def test_what_the_model_says_of_an_image_is_its_description(vllm: Stack) -> None:
    url = f"data:image/png;base64,{base64.b64encode(image_bytes(size=(40, 30))).decode()}"
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": url}]

    turn = await ended(vllm, parts, "seeing")

    [image] = turn["images"]
    look = turn["phases"][0]
    assert image["description"], turn["notes"]
    assert (look["phase"], look["role"]) == ("look", "EYES")
    assert look["input_tokens"] > tokens_of_an_image(40, 30)
    assert 0 < look["output_tokens"] <= 40


@pytest.mark.parametrize("phase", ["analysis", "gate"])
async def test_a_cancel_in_a_phase_frees_the_engine(vllm: Stack, phase: str) -> None:
    """In the phases that every turn goes through, whatever this model decides."""
    status, turn = await vllm.call("POST", "/v1/turns", {"input": "Tell me all.", "session_id": f"c-{phase}"})
    assert status == 202, turn
    async with (
        aiohttp.ClientSession(headers=vllm.headers("alice")) as http,
        http.get(f"{vllm.gateway_url}/v1/turns/{turn['id']}/events") as response,
    ):
        async for event in vllm.events(response):
            if event["type"] == "phase.started" and event["phase"] == phase:
                break

    _, cancelled = await vllm.call("POST", f"/v1/turns/{turn['id']}/cancel")

    assert cancelled["done"]
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"http://127.0.0.1:{vllm.ports['inference']}/metrics") as response:
                lines = (await response.text()).splitlines()
            if "pandora_engine_running_requests 0.0" in lines:
                break
            await asyncio.sleep(0.05)
