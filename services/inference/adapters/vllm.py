"""vLLM's AsyncLLM inside this process. Written for vLLM 0.32; the notes on it are in docs/inference.md."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal, TypeVar

from services.inference.adapters.vllm_images import chat_of
from services.inference.domain.coalesce import stream_interval
from services.inference.domain.thinking import OPEN, ThoughtFilter
from services.inference.ports import Delta, Finished
from services.inference.settings import InferenceSettings
from shared.errors import Refused, SettingsError, Transient
from shared.events import Usage
from shared.replies import Generate, TokenCounts

log = logging.getLogger(__name__)
T = TypeVar("T")
_REASONS: dict[str | None, Literal["stop", "length", "abort"]] = {"length": "length", "abort": "abort"}
_TOKENS_OF_A_TAG = 12
"""At least, also where the tokenizer spells it out and a line ends behind it."""
_SHUTDOWN_SECONDS = 5.0
_WATCH_SECONDS = 0.5


class VllmEngine:
    """One model on this host's GPUs (or CPU), many generations batched together by vLLM."""

    name = "vllm"

    def __init__(self, settings: InferenceSettings) -> None:
        self._settings = settings
        self._model = str(settings.model)  # The settings refuse vllm without one.
        self._llm: Any = None
        self._sampling_defaults: dict[str, Any] = {}
        self.context_tokens = settings.vllm_max_model_len or 0
        self.running = 0
        self.waiting = 0

    @asynccontextmanager
    async def loaded(self, when_dead: Callable[[], None]) -> AsyncIterator[None]:
        """Loads the weights and starts vLLM's own process (some 40 s); stops it at the end.

        Calls `when_dead` where that process dies: only a new worker can help then.
        """
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # This is a self-hosted system: nothing calls home.
        self._llm = await _in_daemon_thread(self._load)
        self.context_tokens = self._llm.model_config.max_model_len
        self._sampling_defaults = self._llm.model_config.get_diff_sampling_param()
        watching = asyncio.create_task(self._watch(when_dead))
        try:
            yield
        finally:
            watching.cancel()
            llm, self._llm = self._llm, None
            await asyncio.to_thread(llm.shutdown, _SHUTDOWN_SECONDS)

    async def _watch(self, when_dead: Callable[[], None]) -> None:
        while not self._llm.errored:  # noqa: ASYNC110  # vLLM has no event for it
            await asyncio.sleep(_WATCH_SECONDS)
        log.error("vLLM's engine process has died; this worker ends, so that a new one can start")
        when_dead()

    def _load(self) -> Any:
        try:
            from vllm.config import StructuredOutputsConfig
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise SettingsError(
                f"INFERENCE_ENGINE=vllm: vLLM cannot be imported here ({error}). Install it (see "
                "docs/inference.md), or set INFERENCE_ENGINE to openai or extractive."
            ) from error
        chosen = {
            "max_model_len": self._settings.vllm_max_model_len,
            "max_num_seqs": self._settings.vllm_max_num_seqs,
        }
        arguments = AsyncEngineArgs(
            model=self._model,
            served_model_name=self._model,
            dtype=self._settings.vllm_dtype,
            gpu_memory_utilization=self._settings.vllm_gpu_memory_utilization,
            tensor_parallel_size=self._settings.vllm_tensor_parallel_size,
            enforce_eager=self._settings.vllm_enforce_eager,
            # No spaces, which a model can go on with for ever; a single request's wish is not heeded.
            structured_outputs_config=StructuredOutputsConfig(
                backend=self._settings.vllm_schema_backend, disable_any_whitespace=True
            ),
            enable_log_requests=False,
            disable_log_stats=True,  # vLLM's own loggers; the one below still gets its figures.
            **{name: value for name, value in chosen.items() if value is not None},
        )
        try:
            return AsyncLLM.from_engine_args(arguments, stat_loggers=[_tap_into(self)])
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:500]
            raise SettingsError(f"MODEL={self._model!r}: vLLM cannot start with it. {reason}") from error

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        from vllm.exceptions import GracefulHTTPError, VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        self._refuse_another(request.model)
        await self.check()
        try:
            prompt = await self._render(request)
            outputs = self._llm.generate(prompt, self._sampling(request), request.request_id)
            thoughts = self._thoughts_of(request, prompt["prompt_token_ids"])
            async with aclosing(self._deltas(outputs, len(prompt["prompt_token_ids"]), thoughts)) as deltas:
                async for delta in deltas:
                    yield delta
        except (VLLMClientError, ValueError) as error:
            field = "messages" if request.schema is None else "schema"
            raise Refused(422, f"{self._model} refused the request: {error}", field) from error
        except (EngineDeadError, GracefulHTTPError) as error:
            raise Transient(f"vLLM takes no requests now: {error}") from error

    async def _deltas(
        self, outputs: AsyncGenerator[Any, None], prompt_tokens: int, thoughts: ThoughtFilter | None
    ) -> AsyncGenerator[Delta | Finished, None]:
        """vLLM's outputs in our words. Closing this closes them, which frees the engine at once."""
        tokens, cached_tokens, queue_seconds = 0, 0, 0.0
        reason: str | None = None
        async with aclosing(outputs):
            async for output in outputs:
                completion = output.outputs[0]
                tokens += len(completion.token_ids)
                reason = completion.finish_reason
                cached_tokens = output.num_cached_tokens or cached_tokens
                queue_seconds = _queue_seconds(output.metrics)
                if completion.token_ids:
                    text = completion.text if thoughts is None else thoughts.feed(completion.text)
                    yield Delta(text, len(completion.token_ids))
        if thoughts is not None and (held := thoughts.end()):
            yield Delta(held, 0)
        yield Finished(
            reason=_REASONS.get(reason, "stop"),
            model=self._model,
            usage=Usage(input_tokens=prompt_tokens, output_tokens=tokens, cached_tokens=cached_tokens),
            queue_seconds=queue_seconds,
        )

    def _thoughts_of(self, request: Generate, prompt: list[int]) -> ThoughtFilter | None:
        """None where a schema holds the answer from its first token on."""
        if request.schema is not None:
            return None
        last = self._llm.renderer.get_tokenizer().decode(prompt[-_TOKENS_OF_A_TAG:])
        return ThoughtFilter(is_open=last.rstrip().endswith(OPEN))

    async def _render(self, request: Generate) -> Any:
        """The chat in tokens, those of its images too, by the model's own template.

        Refuses what leaves no room for an answer.
        """
        from vllm.renderers.params import ChatParams

        chat = await chat_of(request.messages, self._llm, self._model)
        template: dict[str, Any] = {"add_generation_prompt": True}
        if request.thinking is not None:
            template["enable_thinking"] = request.thinking
        how = ChatParams(chat_template_kwargs=template)
        _, prompts = await self._llm.renderer.render_chat_async([chat], how)
        tokens = len(prompts[0]["prompt_token_ids"])
        if tokens >= self.context_tokens:
            raise Refused(
                422,
                f"the prompt has {tokens} tokens, and {self._model} takes at most {self.context_tokens} "
                "for prompt and answer together",
                "messages",
            )
        return prompts[0]

    def _sampling(self, request: Generate) -> Any:
        """The defaults of the model's generation_config, then what the request says."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        guided = None if request.schema is None else StructuredOutputsParams(json=request.schema)
        asked = {"temperature": request.temperature, "max_tokens": request.max_tokens}
        return SamplingParams(
            **{
                "max_tokens": None,  # All the room that the prompt leaves; vLLM's own default is 16.
                **self._sampling_defaults,
                **{name: value for name, value in asked.items() if value is not None},
            },
            structured_outputs=guided,
            output_kind=RequestOutputKind.DELTA,
            stream_interval=stream_interval(self.running, self._settings.vllm_stream_interval),
            skip_clone=True,
        )

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        from vllm.renderers.params import TokenizeParams

        self._refuse_another(model)
        await self.check()
        how = TokenizeParams(max_total_tokens=None, add_special_tokens=False)
        prompts = await self._llm.renderer.tokenize_prompts_async([{"prompt": text} for text in texts], how)
        return TokenCounts(counts=[len(prompt["prompt_token_ids"]) for prompt in prompts], exact=True)

    def _refuse_another(self, model: str | None) -> None:
        if model not in {None, self._model}:
            raise Refused(404, f"there is no model {model!r}; this worker answers as {self._model}", "model")

    async def models(self) -> list[str]:
        return [self._model]

    async def check(self) -> None:
        if self._llm is None:
            raise Transient(f"vLLM is loading {self._model}", retry_in=5.0)
        if self._llm.errored:
            raise Transient("vLLM's engine process has died", retry_in=10.0)


def _queue_seconds(metrics: Any) -> float:
    """From the engine's own clock; 0 before it was scheduled, and where it keeps no figures."""
    if metrics is None or not metrics.scheduled_ts:
        return 0.0
    return max(0.0, float(metrics.scheduled_ts - metrics.queued_ts))


def _tap_into(engine: VllmEngine) -> Callable[..., Any]:
    """A class that vLLM makes one of for each engine core, and that sets `running` and `waiting`."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Tap(StatLoggerBase):  # type: ignore[misc]  # vLLM ships no types
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            """Keeps nothing: the figures go to the engine."""

        def record(self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any) -> None:
            if scheduler_stats is not None:
                engine.running = scheduler_stats.num_running_reqs
                engine.waiting = scheduler_stats.num_waiting_reqs

        def log_engine_initialized(self) -> None:
            """Nothing to say: the worker tells when it is ready."""

    return Tap


async def _in_daemon_thread(work: Callable[[], T]) -> T:
    """Like `asyncio.to_thread`, but a stop in the middle of loading does not wait for its end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[[Any], None], value: object) -> None:
        if not result.done():
            setter(value)

    def run() -> None:
        try:
            outcome = (result.set_result, work())
        except BaseException as error:
            outcome = (result.set_exception, error)  # type: ignore[assignment]
        with contextlib.suppress(RuntimeError):  # The loop is gone: nobody waits any more.
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="load-model", daemon=True).start()
    return await result
