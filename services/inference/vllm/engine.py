"""vLLM's AsyncLLM inside this process. Written for vLLM 0.32; docs/inference.md has the notes on it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal

from services.inference.ports import Delta, Finished
from services.inference.settings import InferenceSettings
from services.inference.text.thinking import NEVER_ANSWERED, OPEN, ThoughtFilter
from services.inference.vllm.chat import prompt_of
from services.inference.vllm.loading import EngineLoad, load
from services.inference.vllm.sampling import sampling_of, stream_interval
from shared.contract.errors import Refused, Transient
from shared.contract.events import Usage
from shared.contract.requests import Generate, TokenCounts

log = logging.getLogger(__name__)
_REASONS: dict[str | None, Literal["stop", "length", "abort"]] = {
    "stop": "stop",
    "length": "length",
    "abort": "abort",
}
_TOKENS_OF_A_TAG = 12
"""Enough, also where the tokenizer spells the tag letter by letter and a line break follows it."""
_SHUTDOWN_SECONDS = 5.0
_WATCH_SECONDS = 0.5


class VllmEngine:
    """One model on this host's GPUs (or CPU). vLLM batches its generations together."""

    name = "vllm"
    holds_prefixes = True

    def __init__(self, settings: InferenceSettings) -> None:
        self._settings = settings
        self._model = str(settings.model)  # The settings refuse vllm without a model.
        self._llm: Any = None
        self._engine_load = EngineLoad()
        self._sampling_defaults: dict[str, Any] = {}
        self.context_tokens = settings.vllm_max_model_len or 0

    @property
    def waiting(self) -> int:
        return self._engine_load.waiting

    @asynccontextmanager
    async def loaded(self, when_dead: Callable[[], None]) -> AsyncIterator[None]:
        """Starts vLLM's own process, and stops it at the end.

        Calls `when_dead` where that process dies: then only a new worker can answer again.
        """
        self._llm = await load(self._settings, self._engine_load)
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

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        from vllm.exceptions import GracefulHTTPError, VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        self._check_model(request.model)
        await self.check()
        try:
            prompt = await prompt_of(request, self._llm, self._model)
            interval = stream_interval(self._engine_load.running, self._settings.vllm_stream_interval)
            sampling = sampling_of(request, self._sampling_defaults, interval)
            outputs = self._llm.generate(prompt, sampling, request.request_id)
            thoughts = self._thoughts_of(request, prompt["prompt_token_ids"])
            async with aclosing(self._deltas(outputs, len(prompt["prompt_token_ids"]), thoughts)) as deltas:
                async for delta in deltas:
                    yield delta
        except (VLLMClientError, ValueError) as error:
            field = "prompt" if request.prompt is not None else "messages"
            field = field if request.schema is None else "schema"
            raise Refused(422, f"{self._model} refused the request: {error}", field) from error
        except (EngineDeadError, GracefulHTTPError) as error:
            raise Transient(f"vLLM takes no requests now: {error}") from error

    async def _deltas(
        self, outputs: AsyncGenerator[Any, None], prompt_tokens: int, thoughts: ThoughtFilter | None
    ) -> AsyncGenerator[Delta | Finished, None]:
        """vLLM's outputs as our deltas. Closing this closes them, which frees the engine at once."""
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
        if thoughts is not None and (rest := thoughts.end()):
            yield Delta(rest, 0)
        if reason not in _REASONS:
            raise Refused(502, f"vLLM ended the answer with finish_reason {reason!r} after {tokens} tokens")
        yield Finished(
            reason=_REASONS[reason],
            model=self._model,
            usage=Usage(input_tokens=prompt_tokens, output_tokens=tokens, cached_tokens=cached_tokens),
            queue_seconds=queue_seconds,
            instead_of_text=NEVER_ANSWERED if thoughts is not None and thoughts.is_thinking else "",
        )

    def _thoughts_of(self, request: Generate, prompt: list[int]) -> ThoughtFilter | None:
        """None where a schema guides the answer from its first token on, and where it goes on with a text."""
        if request.schema is not None or request.prompt is not None:
            return None
        last = self._llm.renderer.get_tokenizer().decode(prompt[-_TOKENS_OF_A_TAG:])
        return ThoughtFilter(is_open=last.rstrip().endswith(OPEN))

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        from vllm.renderers.params import TokenizeParams

        self._check_model(model)
        await self.check()
        how = TokenizeParams(max_total_tokens=None, add_special_tokens=False)
        prompts = await self._llm.renderer.tokenize_prompts_async([{"prompt": text} for text in texts], how)
        return TokenCounts(counts=[len(prompt["prompt_token_ids"]) for prompt in prompts], exact=True)

    def _check_model(self, model: str | None) -> None:
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
    """By the engine's own clock; 0 before vLLM has scheduled it, and where vLLM keeps no figures."""
    if metrics is None or not metrics.scheduled_ts:
        return 0.0
    return max(0.0, float(metrics.scheduled_ts - metrics.queued_ts))
