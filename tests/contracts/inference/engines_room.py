"""What the tests of engines ask, and how they read an answer."""

import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.inference.ports import Delta, Engine, Finished
from services.inference.settings import InferenceSettings
from services.inference.vllm.engine import VllmEngine
from shared.contract.errors import Transient
from shared.contract.requests import Generate, Message, Passage
from tests.contracts.inference.engines_server import ChatServer

TEXT = " ".join(f"My sister Mira keeps {number} bees." for number in range(1, 9))
SCHEMA = {
    "title": "Verdict",
    "type": "object",
    "properties": {
        "decision": {"enum": ["approve", "revise"]},
        "reasons": {"type": "array", "items": {"enum": ["wrong", "unclear"]}, "maxItems": 2},
    },
    "required": ["decision", "reasons"],
    "additionalProperties": False,
}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


_numbers = itertools.count()


def settings_for(server: ChatServer, **more: Any) -> InferenceSettings:
    return InferenceSettings.model_validate(
        {"inference_engine": "openai", "openai_base_url": server.url, **more}
    )


@asynccontextmanager
async def vllm_with(model: Path) -> AsyncIterator[VllmEngine]:
    settings = InferenceSettings.model_validate(
        {
            "inference_engine": "vllm",
            "model": str(model),
            "vllm_enforce_eager": True,
            "vllm_gpu_memory_utilization": 0.2,
        }
    )
    engine = VllmEngine(settings)
    with pytest.raises(Transient, match="loading"):
        await engine.check()
    deaths: list[None] = []
    async with engine.loaded(when_dead=lambda: deaths.append(None)):
        sockets = engine._llm.engine_core.resources.ctx
        yield engine
    sockets.destroy(linger=0)  # vLLM leaves them to the end of its process, and this one has several.
    assert not deaths


def ask(text: str = TEXT, **more: Any) -> Generate:
    passage = Passage(
        turn_id="a", turn_number=1, score=1.0, similarity=0.9, input=text, output="Noted.", quoted=True
    )
    return Generate(
        request_id=f"r{next(_numbers)}",
        messages=more.pop("messages", [Message("user", text)]),
        passages=[passage],
        question="How many bees does Mira keep?",
        stream_to="turn.stream.t",
        **more,
    )


async def parts_of(engine: Engine, request: Generate) -> tuple[list[Delta], Finished]:
    async with aclosing(engine.generate(request)) as stream:
        parts = [part async for part in stream]
    deltas = [part for part in parts if isinstance(part, Delta)]
    [finished] = [part for part in parts if isinstance(part, Finished)]
    assert parts[-1] is finished
    return deltas, finished
