"""The body of a legacy completion: a text that a model of the engine goes on with."""

from typing import Any, ClassVar, Final

import msgspec

from services.gateway.openai.chat_request import StreamOptions, refuse
from services.gateway.openai.raw_request import REFUSED, stops_of
from shared.contract.errors import Refused
from shared.contract.requests import Generate

_MOST_TOKENS: Final = 16
"""As OpenAI has it, where the client does not say."""
_REFUSED: Final = REFUSED | {
    "best_of": "an engine gives one answer",
    "echo": "put the prompt before the answer yourself",
    "suffix": "write the model's own marks for the place to fill in into the prompt",
}


class TextRequest(msgspec.Struct, kw_only=True, frozen=True):
    """Fields that are not here are ignored."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: str
    prompt: str | list[str | int | list[int]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    best_of: int | None = None
    logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    echo: bool | None = None
    suffix: str | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


def text_generation_of(text: TextRequest, request_id: str) -> Generate:
    """Raises Refused for what the engine would answer as if it were not there."""
    refuse(text, _REFUSED)
    return Generate(
        request_id=request_id,
        messages=[],
        prompt=_prompt_of(text.prompt),
        model=text.model,
        temperature=text.temperature,
        max_tokens=_MOST_TOKENS if text.max_tokens is None else text.max_tokens,
        stop=stops_of(text.stop),
        top_p=text.top_p,
        seed=text.seed,
        frequency_penalty=text.frequency_penalty,
        presence_penalty=text.presence_penalty,
    )


def _prompt_of(prompt: Any) -> str:
    match prompt:
        case str() | [str()]:
            return prompt if isinstance(prompt, str) else prompt[0]
        case []:
            raise Refused(422, "prompt is empty", "prompt")
        case [str(), *_]:
            raise Refused(422, f"there are {len(prompt)} prompts; send one a request", "prompt")
        case _:
            raise Refused(
                422, "prompt is tokens; send text, since engines have tokens of their own", "prompt"
            )
