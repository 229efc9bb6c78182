"""A wrong setting of the inference worker ends the start with one line."""

import pytest

from services.inference.settings import InferenceSettings
from shared.process.environment import SettingsError
from shared.process.settings import load


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("no-env-file"))
    for field in InferenceSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


def test_extractive_needs_no_setting() -> None:
    settings = load(InferenceSettings)

    assert settings.inference_engine == "extractive"
    assert settings.inference_port == 8001


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INFERENCE_ENGINE", "gpt", "'vllm', 'openai', 'extractive' or 'scripted'"),
        ("INFERENCE_PORT", "0", "greater than or equal to 1"),
        ("INFERENCE_NAME", "Small one", "pattern"),
        ("INFERENCE_NAME", "a.b", "pattern"),
        ("OPENAI_BASE_URL", "localhost:8000", "http"),
        ("OPENAI_RETRIES", "-1", "greater than or equal to 0"),
        ("VLLM_GPU_MEMORY_UTILIZATION", "90", "less than or equal to 1"),
        ("DELTA_INTERVAL_MILLISECONDS", "soon", "valid number"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as error:
        load(InferenceSettings)

    assert str(error.value).startswith(f"{name}='{value}'")
    assert said in str(error.value)


def test_vllm_needs_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_ENGINE", "vllm")

    with pytest.raises(SettingsError, match=r"MODEL=.*INFERENCE_ENGINE=vllm needs a model"):
        load(InferenceSettings)
