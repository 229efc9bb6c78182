"""Starts vLLM's AsyncLLM with the settings of the worker."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from services.inference.settings import InferenceSettings
from shared.process.environment import SettingsError
from shared.process.threads import in_daemon_thread

T = TypeVar("T")


class EngineLoad:
    """How many generations run in vLLM and how many wait, as its scheduler reports it."""

    running = 0
    waiting = 0


async def load(settings: InferenceSettings, engine_load: EngineLoad) -> Any:
    """Loads the weights and starts vLLM's own process; takes some 40 s. Raises SettingsError."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # A self-hosted system reports to no other server.
    return await in_daemon_thread(lambda: _llm(settings, engine_load), name="load-model")


def _llm(settings: InferenceSettings, engine_load: EngineLoad) -> Any:
    try:
        from vllm.config import StructuredOutputsConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError as error:
        raise SettingsError(
            f"INFERENCE_ENGINE=vllm: vLLM cannot be imported here ({error}). Install it (see "
            "docs/inference.md), or set INFERENCE_ENGINE to openai or extractive."
        ) from error
    model = str(settings.model)  # The settings refuse vllm without a model.
    chosen = {"max_model_len": settings.vllm_max_model_len, "max_num_seqs": settings.vllm_max_num_seqs}
    arguments = AsyncEngineArgs(
        model=model,
        served_model_name=model,
        dtype=settings.vllm_dtype,
        gpu_memory_utilization=settings.vllm_gpu_memory_utilization,
        tensor_parallel_size=settings.vllm_tensor_parallel_size,
        enforce_eager=settings.vllm_enforce_eager,
        # No spaces in JSON: a model can write spaces for ever. A single request cannot choose this.
        structured_outputs_config=StructuredOutputsConfig(
            backend=settings.vllm_schema_backend, disable_any_whitespace=True
        ),
        enable_log_requests=False,
        disable_log_stats=True,  # Only vLLM's own loggers; the stat logger below still gets its figures.
        **{name: value for name, value in chosen.items() if value is not None},
    )
    try:
        return AsyncLLM.from_engine_args(arguments, stat_loggers=[_stat_logger(engine_load)])
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:500]
        raise SettingsError(f"MODEL={model!r}: vLLM cannot start with it. {reason}") from error


def _stat_logger(engine_load: EngineLoad) -> Callable[..., Any]:
    """The class of which vLLM makes one object for each engine core."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class StatLogger(StatLoggerBase):  # type: ignore[misc]  # vLLM ships no types
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            """Keeps nothing: the figures go to `engine_load`."""

        def record(self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any) -> None:
            if scheduler_stats is not None:
                engine_load.running = scheduler_stats.num_running_reqs
                engine_load.waiting = scheduler_stats.num_waiting_reqs

        def log_engine_initialized(self) -> None:
            """vLLM calls this; the worker itself says when it is ready."""

    return StatLogger
