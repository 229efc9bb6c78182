"""What a gateway knows of recipes, when they cannot be asked for."""

from typing import Any

import pytest

from services.gateway.limits.places import OwnHolders, Places
from services.gateway.turns import admission
from services.gateway.turns.admission import Admission
from services.gateway.turns.views import NewTurn
from shared.contract.errors import Refused, Transient
from shared.contract.requests import RecipesReply


async def never(turn_id: str, user: str) -> bool:
    return False


PLACES = Places(0, OwnHolders(), never)


class Orchestrator:
    """Has one recipe. While it is away, no answer comes in time."""

    def __init__(self) -> None:
        self.is_away = False

    async def answer(self, request: Any, timeout_seconds: float | None = None, /) -> Any:
        if self.is_away:
            raise Transient(f"no answer to {request.subject} in time")
        return RecipesReply(names=["direct"])


async def test_what_was_known_is_used_while_the_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_KNOWN_SECONDS", 0.0)
    orchestrator = Orchestrator()
    gate = Admission(orchestrator.answer, PLACES, input_limit_bytes=100)
    await gate.check(NewTurn(input="Hi", recipe="direct"), [], "alice", "t1")

    orchestrator.is_away = True

    await gate.check(NewTurn(input="Hi", recipe="direct"), [], "alice", "t2")
    with pytest.raises(Refused, match="there is no recipe 'other'"):
        await gate.check(NewTurn(input="Hi", recipe="other"), [], "alice", "t3")


async def test_a_gateway_that_knows_nothing_yet_cannot_accept() -> None:
    orchestrator = Orchestrator()
    orchestrator.is_away = True
    gate = Admission(orchestrator.answer, PLACES, input_limit_bytes=100)

    with pytest.raises(Transient, match=r"no answer to turns\.recipes"):
        await gate.check(NewTurn(input="Hi"), [], "alice", "t1")
