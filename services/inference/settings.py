"""The settings of the inference worker."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.process.settings import CommonSettings


class InferenceSettings(CommonSettings):
    """Which engine answers, with which model, and how its text is sent."""

    inference_port: int = Field(8001, ge=1, le=65535, description="health and metrics port of inference")
    inference_name: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,32}$",
        description="name that this engine is asked by (a-z, 0-9, -); empty: it is the one without a name",
    )
    inference_engine: Literal["vllm", "openai", "extractive", "scripted"] = Field(
        "extractive",
        description="what answers: vllm in this process, an openai-compatible server, extractive or scripted",
    )
    script: Path | None = Field(
        None, description="TOML file with the rules of the scripted engine; unset: the one that ships"
    )
    model: str | None = Field(
        None,
        min_length=1,
        description="model: for vllm a folder or a Hugging Face name (required); for openai the default one",
    )
    delta_interval_milliseconds: float = Field(
        10.0,
        ge=0,
        le=1000,
        description="least time between two messages of one answer's text, in milliseconds",
    )
    sign_of_life_seconds: float = Field(
        2.0, gt=0, le=60, description="time between two signs of life while a generation runs, in seconds"
    )

    busy_generations: int = Field(
        8,
        ge=0,
        description="running generations from which on a worker leaves the turns of its sessions to others; "
        "0: always",
    )

    openai_base_url: str = Field(
        "http://127.0.0.1:8000/v1",
        pattern=r"^https?://",
        description="base URL of the OpenAI-compatible server",
    )
    openai_api_key: SecretStr | None = Field(None, description="API key for that server, where it wants one")
    openai_connect_timeout_seconds: float = Field(
        5.0, gt=0, le=120, description="longest wait for a connection to that server, in seconds"
    )
    openai_first_token_timeout_seconds: float = Field(
        120.0, gt=0, le=3600, description="longest wait for its first token, in seconds"
    )
    openai_token_timeout_seconds: float = Field(
        30.0, gt=0, le=3600, description="longest wait between two of its tokens, in seconds"
    )
    openai_retries: int = Field(
        3,
        ge=0,
        le=20,
        description="further attempts while no token has come; at most 2 of what may be charged for",
    )
    openai_context_tokens: int = Field(
        8192,
        ge=256,
        description="tokens that prompt and answer may have together, where the server does not say",
    )

    vllm_max_model_len: int | None = Field(
        None,
        ge=16,
        description="tokens that prompt and answer may have together; unset: what the model allows",
    )
    vllm_gpu_memory_utilization: float = Field(
        0.9,
        gt=0,
        le=1,
        description="share of the GPU's memory (on a CPU: of the host's) that vLLM may take, 0 to 1",
    )
    vllm_tensor_parallel_size: int = Field(1, ge=1, le=64, description="GPUs that share one model")
    vllm_max_num_seqs: int | None = Field(
        None, ge=1, description="generations that run at once; unset: vLLM's own choice"
    )
    vllm_dtype: Literal["auto", "half", "float16", "bfloat16", "float32"] = Field(
        "auto", description="number format of the weights; auto: what the model was saved in"
    )
    vllm_enforce_eager: bool = Field(
        False, description="no compilation and no CUDA graphs: starts sooner, answers slower"
    )
    vllm_schema_backend: Literal["guidance", "xgrammar"] = Field(
        "guidance",
        description="what holds an answer to its schema; xgrammar where guidance does not know the tokenizer",
    )
    vllm_stream_interval: int = Field(
        8, ge=1, le=256, description="most tokens that vLLM hands over together when many generations run"
    )

    @field_validator("model")
    @classmethod
    def _vllm_has_a_model(cls, model: str | None, info: ValidationInfo) -> str | None:
        if model is None and info.data.get("inference_engine") == "vllm":
            raise PydanticCustomError(
                "model_missing",
                "INFERENCE_ENGINE=vllm needs a model: a folder with its weights or a Hugging Face name",
            )
        return model
