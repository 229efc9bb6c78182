"""The document `/openapi.json` and the gateway agree, for whatever is sent: asked by Schemathesis."""

import asyncio
import re
from uuid import uuid4

import pytest

from tests.missing import skip_unless_ci
from tests.stack import KEYS, ROOT, Stack

SCHEMATHESIS = ROOT / "build/schemathesis/bin/schemathesis"
LEFT_OUT = "positive_data_acceptance"
"""Of all checks. It wants that the gateway takes all that is right by the document. Names of recipes,
models and users, cursors, and what OpenAI's routes refuse by name are known only when they are asked for."""
_SECONDS = 900


@pytest.fixture
async def parameters(stack: Stack) -> dict[str, str]:
    """Names of things that are there, so that not all is 404."""
    word = uuid4().hex
    said = await stack.tell(f"My kite {word} is green.", session_id=f"kite-{word}", user="alice")
    turn_id = said["turn_id"]
    memory = {"text": f"Alice's kite {word} is green.", "kind": "fact"}
    status, kept = await stack.call("POST", "/v1/memories", memory, user="alice")
    assert status in {200, 201}, kept
    return {
        "path.turn_id": turn_id,
        "path.session_id": f"kite-{word}",
        "path.memory_id": kept["memory_id"],
        "path.response_id": f"resp_{turn_id}",
        "path.name": "alice",
    }


async def test_no_request_gets_an_answer_that_the_document_does_not_know(
    stack: Stack, parameters: dict[str, str]
) -> None:
    if not SCHEMATHESIS.exists():
        skip_unless_ci("Schemathesis is not installed (`make build/schemathesis` installs it)")
    settings = stack.data_dir / "schemathesis.toml"
    lines = [f'"{name}" = "{value}"' for name, value in parameters.items()]
    settings.write_text("\n".join(["[parameters]", *lines]))

    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS, "--config-file", settings, "run", f"{stack.gateway_url}/openapi.json",
        "--header", f"Authorization: Bearer {KEYS['alice']}",
        "--exclude-checks", LEFT_OUT, "--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1",
        "--continue-on-failure", "--request-timeout", "60", "--no-color",
        cwd=stack.data_dir, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(_SECONDS):
        output, _ = await process.communicate()

    told = output.decode(errors="replace")
    assert process.returncode == 0, told[-20_000:]
    assert (asked := re.search(r"(\d+) generated, (\d+) passed", told)), told[-2_000:]
    assert asked[1] == asked[2]
    assert "Traceback" not in (stack.data_dir / "logs/gateway.log").read_text()
