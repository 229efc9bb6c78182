"""python -m bench.engines.instant_worker: the inference worker with the instant engine behind it.

Wired as services/inference/app.py wires a real engine; only the engine is another.
"""

import os

from bench.engines.instant import InstantEngine
from services.inference.generation.endpoints import Generations
from services.inference.settings import InferenceSettings
from shared.bus.connection import Bus
from shared.contract.requests import Abort
from shared.process.health import Health, health_app
from shared.process.http import serve_http
from shared.process.runtime import main

THINK_SECONDS = "BENCH_THINK_SECONDS"
"""Of each answer, before its first token; 0 where it is not set."""


async def serve(settings: InferenceSettings, health: Health) -> None:
    async with (
        serve_http(health_app(health), settings.bind_host, settings.inference_port, "INFERENCE_PORT"),
        Bus.connect("inference", settings) as bus,
    ):
        health.depends_on("nats", bus.check)
        generations = Generations(
            InstantEngine(think_seconds=float(os.environ.get(THINK_SECONDS, "0"))),
            bus.connection,
            delta_interval=settings.delta_interval_milliseconds / 1000,
            sign_of_life_seconds=settings.sign_of_life_seconds,
        )
        await bus.connection.subscribe(Abort.subject, cb=generations.on_abort)
        await bus.serve("Answers at once.", generations.endpoints())
        await health.run_until_stopped()
        await generations.stop(within=1)


if __name__ == "__main__":
    main("inference", InferenceSettings, serve)
