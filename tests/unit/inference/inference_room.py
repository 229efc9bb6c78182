"""An inference worker on a real bus, and how the tests ask it."""

from typing import Any
from uuid import uuid4

from services.inference.generation.endpoints import Generations
from services.inference.ports import Engine
from shared.bus.connection import Bus
from shared.contract.requests import Abort, Generate, Generated, Message, StillGenerating

TEXT = " ".join(f"word-{number}" for number in range(40))


async def serve(bus: Bus, engine: Engine, name: str = "", **more: Any) -> Generations:
    generations = Generations(
        engine, bus.connection, name=name, delta_interval=0.01, sign_of_life_seconds=0.1, **more
    )
    await bus.connection.subscribe(Abort.subject, cb=generations.on_abort)
    for own in generations.own_endpoints():
        await bus.listen(own.subject, own)
    await bus.serve("a worker of the tests", generations.endpoints())
    return generations


def ask(text: str = TEXT, **more: Any) -> Generate:
    turn = uuid4().hex
    given = {"request_id": turn, "messages": [Message("user", text)], "stream_to": f"turn.stream.{turn}"}
    return Generate(**(given | more))


async def answer_to(request: Generate, client: Bus) -> Generated:
    """The answer, after signs of life that most tests have no interest in."""
    async for reply in client.ask_and_follow(request, StillGenerating, silence_seconds=10):
        if isinstance(reply, Generated):
            return reply
    raise AssertionError("no answer")
