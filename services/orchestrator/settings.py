"""Settings of the orchestrator."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from shared.contract.requests import QUEUE_LIMIT
from shared.process.settings import FileSettings


class OrchestratorSettings(FileSettings):
    """How many turns at once, for how long, with how much memory in each prompt."""

    orchestrator_port: int = Field(8090, ge=1, le=65535, description="port of health and metrics")
    orchestrator_concurrency: int = Field(
        64, ge=1, le=4096, description="turns at work at once; those that wait for a person do not count"
    )
    queue_limit_turns: int = Field(
        QUEUE_LIMIT, ge=1, le=10_000_000, description="turns that may wait; one more is refused with 503"
    )
    nats_replicas: int = Field(
        1, ge=1, le=5, description="servers of a NATS cluster that keep each stream: 1, 3 or 5"
    )
    turn_timeout_seconds: float = Field(600.0, gt=0, le=86_400, description="longest time for one turn")
    gather_timeout_seconds: float = Field(
        30.0, gt=0, le=86_400, description="longest time for looking into memory, of one turn"
    )
    synthesis_timeout_seconds: float = Field(
        300.0, gt=0, le=86_400, description="longest time for the answer of one turn"
    )
    save_timeout_seconds: float = Field(
        30.0, gt=0, le=86_400, description="longest time for writing one turn down"
    )
    look_timeout_seconds: float = Field(
        120.0, gt=0, le=86_400, description="longest time for looking at the images of one turn"
    )
    analysis_timeout_seconds: float = Field(
        60.0, gt=0, le=86_400, description="longest time for the analysis of one turn"
    )
    gate_timeout_seconds: float = Field(
        60.0, gt=0, le=86_400, description="longest time for deciding whether to go on"
    )
    plan_timeout_seconds: float = Field(120.0, gt=0, le=86_400, description="longest time for one plan")
    coordinate_timeout_seconds: float = Field(
        120.0, gt=0, le=86_400, description="longest time for the tools of one plan"
    )
    validation_timeout_seconds: float = Field(
        120.0, gt=0, le=86_400, description="longest time for checking one answer"
    )
    approval_timeout_seconds: float = Field(
        3600.0, gt=0, le=2_592_000, description="longest wait for a person to allow a tool call"
    )
    tools_dir: Path | None = Field(
        None, description="folder of tools of one's own, Python files; unset: none (docs/tools.md)"
    )
    mcp_servers: SecretStr = Field(
        SecretStr(""), description="MCP servers whose tools may be used, as a JSON list (docs/tools.md)"
    )
    recipes_dir: Path | None = Field(
        None, description="folder of recipes, a .toml file each; unset: `recipes` beside the program"
    )
    roles_file: Path | None = Field(
        None, description="as whom models are asked, in TOML; unset: `roles.toml` beside the program"
    )
    default_recipe: str = Field("direct", description="recipe of a turn that names none")
    engine_silence_seconds: float = Field(
        8.0, gt=0, le=600, description="longest wait for a sign of life from the engine"
    )
    context_budget_tokens: int = Field(
        1500, ge=0, le=1_000_000, description="most tokens of memory in a prompt (4 characters a token)"
    )
    context_passages: int = Field(6, ge=0, le=100, description="most earlier turns put before the model")
    history_turns: int = Field(
        6,
        ge=0,
        le=100,
        description="last turns of the session put before the model: so many to twice as many",
    )
    history_budget_tokens: int = Field(
        8000, ge=0, le=1_000_000, description="most tokens of the session's last turns (4 characters a token)"
    )
    reflector: Literal["on", "off"] = Field(
        "on", description="reads saved turns in the background for facts and preferences that last"
    )
    forget_erase_hours: float = Field(
        24.0, ge=0, le=720, description="within which the bytes of what is forgotten are gone; 0: at once"
    )
    archive_after_days: float = Field(
        90.0, ge=0, le=36_500, description="turns that nobody used for so long are compressed; 0: never"
    )

    @field_validator("nats_replicas")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("it must be 1, 3 or 5: an even number of copies survives no more than one less")
        return value
