"""What a run does, drawn from its seed: a seed repeats every choice, though never the timing."""

import os
from random import Random
from typing import Literal
from uuid import UUID

import msgspec

Way = Literal["http", "http_stream", "nats"]
USERS = ("alice", "bob", "carol", "dave")
KEYS = {user: f"{user}-key-for-the-soak" for user in USERS}
WORD_SECONDS = 0.015
_KILL_SECONDS = 6.0
"""From one kill to the next, on average: a part is met once in 48 s, and the launcher allows 4 in 60 s."""
_SHARED_SESSIONS = 3
"""Of each user; their turns come from several clients at once."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `make soak`."""

    turns: int = 2000
    kills: int = 100
    seed: int = 1
    clients: int = 32
    turns_per_second: float = 4.0
    parts: tuple[str, ...] = ()
    """Which parts are killed; none named: all."""
    cluster: bool = False

    @classmethod
    def from_environment(cls) -> "Options":
        given = {name: os.environ.get(f"SOAK_{name.upper()}", "") for name in cls.__struct_fields__}
        values: dict[str, object] = {name: value for name, value in given.items() if value}
        if parts := given["parts"]:
            values["parts"] = tuple(parts.split(","))
        return msgspec.convert(values, cls, strict=False)

    @property
    def load_seconds(self) -> float:
        """How long turns are begun: as long as something is killed."""
        return max(self.kills * _KILL_SECONDS, self.turns / self.turns_per_second)

    def kill_pauses(self) -> list[float]:
        """Seconds before each kill. There is load before the first and after the last."""
        chance = Random(f"{self.seed}/kills")
        weights = [chance.uniform(0.5, 1.5) for _ in range(self.kills)]
        share = 0.95 * self.load_seconds / sum(weights) if weights else 0.0
        return [weight * share for weight in weights]


class TurnPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One turn, as its client goes about it."""

    number: int
    client: int
    begins_after: float
    """Seconds from the start of the load; later where the client is still at its turn before."""
    way: Way
    user: str
    session_id: str
    text: str
    turn_id: str
    """For NATS; over HTTP the gateway draws it."""
    key: str
    cancels_after: float | None
    """Seconds from being accepted."""
    leaves_after: tuple[int, ...]
    """The reader drops its connection once it has read so many events of it, and comes back."""
    asks_twice: bool
    """Hands the very same turn in again after its end, as a client does whose answer was lost."""

    def chance(self, seed: int) -> Random:
        """For what is chosen while it runs: gateways and pauses."""
        return Random(f"{seed}/turn {self.number}")


def draw_turns(options: Options) -> list[TurnPlan]:
    return [draw(options, number) for number in range(options.turns)]


def draw(options: Options, number: int) -> TurnPlan:
    chance = Random(f"{options.seed}/plan {number}")
    client = number % options.clients
    user = USERS[client % len(USERS)]
    shared = f"shared-{chance.randrange(_SHARED_SESSIONS)}"
    way: Way = chance.choices(("http", "http_stream", "nats"), (35, 40, 25))[0]
    words = " ".join(f"w{chance.randrange(1000)}" for _ in range(chance.randint(15, 60)))
    rounds = -(-options.turns // options.clients)
    step = options.load_seconds / rounds
    leaves = chance.choices((0, 1, 2), (70, 20, 10))[0]
    return TurnPlan(
        number=number,
        client=client,
        begins_after=(number // options.clients + chance.random()) * step,
        way=way,
        user=user,
        session_id=shared if chance.random() < 0.6 else f"own-{client}",
        text=f"Soak {number}: {words}",
        turn_id=str(UUID(int=chance.getrandbits(128), version=4)),
        key=str(UUID(int=chance.getrandbits(128), version=4)),
        cancels_after=chance.uniform(0.0, 1.2) if chance.random() < 0.05 else None,
        leaves_after=tuple(chance.randint(1, 12) for _ in range(leaves)),
        asks_twice=chance.random() < 0.05,
    )
