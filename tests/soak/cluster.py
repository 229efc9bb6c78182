"""`pandora up --cluster` under load: the leader of the queue is killed once, and steps down once."""

from tests.soak.plan import Options


async def run(options: Options) -> int:
    raise NotImplementedError(options)
