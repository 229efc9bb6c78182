"""What the phases need of memory and of models."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from shared.contract.requests import Generate, Generated, Recall, Recalled, TurnRow


class Memory(Protocol):
    """What earlier turns said. Raises Transient while it cannot be asked."""

    async def recall(self, request: Recall) -> Recalled: ...

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        """The session's latest, oldest first."""
        ...


class StopSignal(Protocol):
    """Tells what runs that it is to stop."""

    async def wait(self) -> None:
        """Returns when it is to stop."""
        ...

    def listened_to(self) -> AbstractContextManager[None]:
        """Around what stops in good order when it is told to."""
        ...


class Model(Protocol):
    """Answers a prompt and streams the answer to the turn's subject by itself."""

    async def generate(self, request: Generate, stop: StopSignal, *, continues: Sequence[str]) -> Generated:
        """Raises Refused where the request can never work, Transient where no engine is there.

        Told to stop, it stops the engine and returns what there was. `continues`: ids of the turns whose
        answers stand in the prompt, oldest first. An engine that gave them may answer sooner.
        """
        ...

    async def count_tokens(self, texts: Sequence[str], engine: str, model: str | None) -> list[int]:
        """Of each text, at least by estimate."""
        ...

    async def abort(self, request_id: str) -> None:
        """Returns when nothing more of that generation will be streamed, or no engine has it."""
        ...
