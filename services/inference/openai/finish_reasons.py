"""What a server's `finish_reason` means. No other reason ends an answer: without one it was cut off."""

from typing import Any, Final, Literal

Meaning = Literal["stop", "length", "filtered"]
_MEANINGS: Final[dict[str, Meaning]] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    # Some servers say "stop" instead. Where no tools were offered, the text before the calls is the answer.
    "tool_calls": "stop",
    "tool_use": "stop",
    "function_call": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "content_filter": "filtered",
    "safety": "filtered",
    "refusal": "filtered",
    "guardrail_intervened": "filtered",
}


def meaning_of(reason: Any) -> Meaning | None:
    return _MEANINGS.get(reason.lower()) if isinstance(reason, str) else None
