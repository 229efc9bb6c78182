"""The prompts of a session, one turn after another, to a vLLM that keeps what it has computed.

Runs where vLLM is installed (`make test-vllm`), with a tiny random model.
"""

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from services.orchestrator.prompts.answer import messages_of
from services.orchestrator.prompts.context import passage_of_row
from services.orchestrator.prompts.history import history_of, most_turns
from shared.bus.connection import Bus
from shared.contract.requests import Generate, Generated, Message, StillGenerating, TurnRow
from tests.contracts.inference.engines_worker import worker_process
from tests.live.tiny_model import build
from tests.servers.nats import bus_to
from tests.unit.samples import row, turn

pytest.importorskip("vllm", reason="vLLM is not installed here; see make test-vllm")
CONTEXT_TOKENS = 16_384
TURNS = 6
LAST_TURN = 20
SAID = "Turn {}: my neighbour's boat lies in the harbour, and the harbour pilot says it leaks."
ANSWERED = "Turn {}: then the boat has to be taken out of the water, dried for a week, and painted anew. " * 5
"""As long as answers are: the cache keeps whole blocks of tokens only."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build(folder, context_tokens=CONTEXT_TOKENS)
    return folder


@pytest.fixture(scope="module")
async def client(nats_url: str, model: Path) -> AsyncIterator[Bus]:
    settings = {
        "NATS_URL": nats_url,
        "INFERENCE_ENGINE": "vllm",
        "MODEL": str(model),
        "VLLM_ENFORCE_EAGER": "true",
        "VLLM_GPU_MEMORY_UTILIZATION": "0.2",
    }
    async with worker_process(**settings) as worker, bus_to(nats_url) as bus:
        await worker.wait_until("/readyz", 200, 300.0)
        yield bus


async def cached_tokens(client: Bus, number: int, messages: list[Message]) -> int:
    request = Generate(request_id=f"history-{number}", messages=messages, max_tokens=4)
    async for reply in client.ask_and_follow(request, StillGenerating, silence_seconds=60):
        if isinstance(reply, Generated):
            return reply.usage.cached_tokens
    raise AssertionError("no answer")


async def test_the_history_of_a_session_is_not_computed_again(client: Bus, model: Path) -> None:
    tokenizer: Any = import_module("transformers").AutoTokenizer.from_pretrained(model)

    def tokens_of(messages: list[Message]) -> int:
        plain = [{"role": one.role, "content": one.content} for one in messages]
        return len(tokenizer(tokenizer.apply_chat_template(plain, tokenize=False))["input_ids"])

    rows: list[TurnRow] = []
    begin, shares, cuts = "", {}, set()
    for number in range(1, LAST_TURN + 1):
        history = history_of(rows[-most_turns(TURNS) :], begin, turns=TURNS, budget_tokens=8000)
        if history and history[0].turn_id != begin:
            cuts.add(number)
            begin = history[0].turn_id
        # Memory is another one for each turn, as in life.
        memory = [passage_of_row(row(100 + number, f"Memory {number}.", "It was raining."))]
        messages = messages_of(turn(SAID.format(number), history=history, passages=memory))
        cached = await cached_tokens(client, number, messages)
        computed_before = messages_of(turn("", history=history[:-1]))[:-1]
        shares[number] = cached / tokens_of(computed_before)
        rows.append(row(number, SAID.format(number), ANSWERED.format(*[number] * 5)))

    assert {number for number in range(3, LAST_TURN + 1) if shares[number] < 0.9} <= cuts, shares
    assert len(cuts - {2}) == 2, "turns 13 and 19"
