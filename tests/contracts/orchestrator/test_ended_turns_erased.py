"""A turn that has ended leaves the queue, and forgetting leaves none of its words in the files of NATS."""

import asyncio
from pathlib import Path

from services.orchestrator.forgetting.nats import BusTraces
from services.orchestrator.queue.nats_turns import remove_turn
from shared.bus.declaration import declare_streams
from tests.files import files_with
from tests.servers.nats import bus_to, nats_in_hand, state
from tests.unit.samples import requested

WORD = "marzipan"


async def test_words_of_turns_that_have_ended_are_erased_while_another_turn_waits(tmp_path: Path) -> None:
    settings = tmp_path / "nats.conf"
    settings.write_text('jetstream { sync_interval: "1s" }\n')
    async with nats_in_hand("-c", str(settings)) as server, bus_to(server.url) as bus:
        await declare_streams(bus.jetstream, first_turn_number=1, queue_limit=3)
        numbers = [await bus.publish(requested(f"t{number}", f"{WORD} {number}")) for number in range(2)]
        waiting = await bus.publish(requested("t9", "Hello"))
        for number in numbers:
            await remove_turn(bus, number)
        await remove_turn(bus, numbers[0])  # Once more, as after a crash.
        await bus.publish(requested("t10", "Hello again"))
        assert (await state(bus, "TURNS")).messages == 2

        await BusTraces(bus, replicas=1).erase()

        async with asyncio.timeout(40):
            while _holds(Path(server.store), WORD):  # noqa: ASYNC110 - the server removes it when it looks
                await asyncio.sleep(0.5)
        left = await state(bus, "TURNS")
        assert (left.messages, left.first_seq) == (2, waiting)


def _holds(folder: Path, word: str) -> bool:
    return any(files_with(folder, word.encode()))
