"""When a step that failed is called again."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from tenacity import RetryCallState, stop_after_attempt, wait_fixed, wait_none

from shared.contract.errors import Refused, Transient
from shared.process.environment import SettingsError
from shared.process.retrying import Retry, error_of, until_there, wait_as_asked

AT_ONCE = Retry(wait=wait_none())


class Step:
    """Raises the errors one after another, then returns what it was given."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = iter(errors)
        self.calls = 0

    async def __call__(self, answer: str = "done", *, loud: bool = False) -> str:
        self.calls += 1
        if error := next(self._errors, None):
            raise error
        return answer.upper() if loud else answer


async def test_a_step_that_succeeds_is_called_once_with_its_arguments() -> None:
    step = Step()

    assert await AT_ONCE(step, "well", loud=True) == "WELL"
    assert step.calls == 1


async def test_a_step_is_called_until_it_succeeds() -> None:
    step = Step(Transient("away"), Transient("still away"))

    assert await AT_ONCE(step, "well") == "well"
    assert step.calls == 3


async def test_another_error_ends_it_at_once() -> None:
    step = Step(Transient("away"), Refused(404, "there is none"), Transient("away"))

    with pytest.raises(Refused, match="there is none"):
        await AT_ONCE(step)
    assert step.calls == 2


async def test_the_first_call_counts_and_the_last_error_is_raised() -> None:
    step = Step(*(Transient(f"away {number}") for number in range(1, 9)))

    with pytest.raises(Transient, match="away 3"):
        await Retry(wait=wait_none(), stop=stop_after_attempt(3))(step)
    assert step.calls == 3


async def test_other_errors_can_be_retried() -> None:
    step = Step(Refused(503, "full"), OSError("gone"))
    also_full = Retry(on=(Refused, OSError), wait=wait_none())

    assert await also_full(step) == "done"

    step = Step(Refused(503, "full"), Refused(404, "there is none"))
    only_full = Retry(on=lambda error: isinstance(error, Refused) and error.status == 503, wait=wait_none())
    with pytest.raises(Refused, match="there is none"):
        await only_full(step)


async def test_the_pauses_are_those_that_the_errors_ask_for_up_to_a_limit() -> None:
    pauses: list[float] = []

    def note(state: RetryCallState) -> None:
        pauses.append(state.upcoming_sleep)

    step = Step(Transient("away", retry_in=0.001), Transient("away", retry_in=60.0))
    await Retry(wait=wait_as_asked(0.01), note=note)(step)

    assert pauses == [0.001, 0.01]


async def test_each_pause_is_noted_with_its_error() -> None:
    noted: list[str] = []
    step = Step(Transient("away"), Transient("still away"))

    await Retry(wait=wait_none(), note=lambda state: noted.append(str(error_of(state))))(step)

    assert noted == ["away", "still away"]


async def test_a_cancellation_ends_it_in_a_pause_and_in_the_step() -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    paused = asyncio.create_task(Retry(wait=wait_fixed(60.0))(Step(Transient("away"))))
    busy = asyncio.create_task(AT_ONCE(for_ever))
    await asyncio.sleep(0.01)
    for task in (paused, busy):
        task.cancel()

    ends: Sequence[object] = await asyncio.wait_for(
        asyncio.gather(paused, busy, return_exceptions=True), timeout=5.0
    )
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 2


async def test_one_retry_serves_many_steps_at_once() -> None:
    def step(number: int) -> Step:
        return Step(*(Transient("away", retry_in=0.001) for _ in range(number % 4)))

    steps = [step(number) for number in range(50)]
    retry = Retry(wait=wait_as_asked(0.001))

    assert await asyncio.gather(*(retry(one, str(i)) for i, one in enumerate(steps))) == [
        str(i) for i in range(50)
    ]
    assert [one.calls for one in steps] == [1 + number % 4 for number in range(50)]


async def test_what_is_not_there_yet_is_waited_for_and_noted_once(caplog: pytest.LogCaptureFixture) -> None:
    step = Step(Transient("no answer", retry_in=0), Transient("no answer", retry_in=0))

    with caplog.at_level(logging.INFO):
        assert await until_there("PostgreSQL", step) == "done"

    assert step.calls == 3
    assert [record.getMessage() for record in caplog.records] == ["waiting for PostgreSQL: no answer"]


async def test_what_can_never_be_there_ends_the_start() -> None:
    with pytest.raises(SettingsError, match="wrong password"):
        await until_there("PostgreSQL", Step(SettingsError("DATABASE_URL: wrong password")))
