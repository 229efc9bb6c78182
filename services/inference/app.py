"""Wires the inference worker: chooses the engine, and starts and stops all parts in order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from services.inference.extractive.engine import ExtractiveEngine
from services.inference.generation.endpoints import Generations
from services.inference.openai.engine import OpenAiEngine
from services.inference.ports import Engine
from services.inference.scripted.engine import ScriptedEngine
from services.inference.settings import InferenceSettings
from services.inference.vllm.engine import VllmEngine
from shared.bus.connection import Bus
from shared.contract.requests import Abort
from shared.process.health import Health, health_app
from shared.process.http import serve_http


async def serve(settings: InferenceSettings, health: Health) -> None:
    """The health port answers first, since a model may take minutes to load. The engine stops last."""
    async with (
        serve_http(health_app(health), settings.bind_host, settings.inference_port, "INFERENCE_PORT"),
        running_engine(settings, health) as engine,
        Bus.connect("inference", settings) as bus,
    ):
        health.depends_on("nats", bus.check)
        generations = Generations(
            engine,
            bus.connection,
            name=settings.inference_name,
            busy_from=settings.busy_generations,
            delta_interval=settings.delta_interval_milliseconds / 1000,
            sign_of_life_seconds=settings.sign_of_life_seconds,
        )
        # Without a queue group: every worker receives an abort, since only one of them has the generation.
        await bus.connection.subscribe(Abort.subject, cb=generations.on_abort)
        for own in generations.own_endpoints():
            await bus.listen(own.subject, own)
        await bus.serve(f"Answers chats with the {engine.name} engine.", generations.endpoints())
        await health.run_until_stopped()
        await generations.stop(within=settings.stop_timeout_seconds / 2)


@asynccontextmanager
async def running_engine(settings: InferenceSettings, health: Health) -> AsyncIterator[Engine]:
    """The engine that INFERENCE_ENGINE names, ready to answer."""
    match settings.inference_engine:
        case "extractive":
            extractive = ExtractiveEngine()
            health.depends_on("engine", extractive.check)
            yield extractive
        case "scripted":
            scripted = ScriptedEngine.of_file(settings.script)
            health.depends_on("engine", scripted.check)
            yield scripted
        case "openai":
            async with OpenAiEngine.connected(settings) as openai:
                health.depends_on("engine", openai.check)
                yield openai
        case "vllm":
            vllm = VllmEngine(settings)
            health.depends_on("engine", vllm.check)
            async with vllm.loaded(when_dead=health.stopping.set):
                yield vllm
        case _:
            assert_never(settings.inference_engine)
