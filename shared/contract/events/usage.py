"""What a turn took: tokens and seconds."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one turn, counted by the engine."""

    input_tokens: int = 0
    """Of the prompts."""
    output_tokens: int = 0
    """Of the answers."""
    cached_tokens: int = 0
    """Of the prompts, the tokens that the engine had in its prefix cache."""


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the moment at which an orchestrator took the turn."""

    gather_seconds: float = 0.0
    """To the end of phase 2."""
    first_token_seconds: float = 0.0
    """To the first token."""
    total_seconds: float = 0.0
    """To the end."""


class PhaseTiming(msgspec.Struct, frozen=True, kw_only=True):
    """What one phase of a turn took: time, and tokens where it asked a model."""

    phase: str
    """Its name."""
    seconds: float
    """How long it ran, all tries together."""
    role: str | None = None
    """The role that the model was asked in; null: the phase asked no model."""
    model: str | None = None
    """The model that answered."""
    input_tokens: int = 0
    """Of its prompts."""
    output_tokens: int = 0
    """Of the answers."""
    cached_tokens: int = 0
    """Of the prompts, the tokens that the engine had in its prefix cache."""
    calls: int = 0
    """Questions to a model."""
    retries: int = 0
    """How often the phase began again after its first try."""
