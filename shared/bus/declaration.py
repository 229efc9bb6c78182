"""Makes the streams and durables on a NATS server as they are declared: creates or updates them.

JetStream cannot change everything in place (retention, storage). That ends with an error. No data is deleted.
"""

import contextlib
import dataclasses
from typing import Any, Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.bus.durables import DURABLES, Durable
from shared.bus.streams import STREAMS, TURNS
from shared.contract.errors import Transient
from shared.contract.requests import QUEUE_LIMIT
from shared.process.environment import SettingsError

_NAME_IN_USE: Final = 10058
_NO_CLUSTER: Final = 10074
_TOO_FEW_SERVERS: Final = 10005
_NO_ROOM: Final = (10023, 10047)
_UNAVAILABLE: Final = 503


async def declare_streams(
    jetstream: JetStreamContext,
    *,
    first_turn_number: int,
    queue_limit: int = QUEUE_LIMIT,
    replicas: int = 1,
) -> None:
    """Creates or updates every stream and durable.

    `first_turn_number`: where the sequence of TURNS begins, if it has to be created (the store was lost).
    `replicas`: how many servers of a cluster keep each stream; the number is raised and never lowered.
    Raises SettingsError where the server has another kind of stream or is no cluster, and Transient where it
    cannot answer now.
    """
    try:
        for declared in STREAMS:
            wanted = dataclasses.replace(declared, num_replicas=replicas)
            if declared is TURNS:
                wanted = dataclasses.replace(wanted, max_msgs=queue_limit, first_seq=first_turn_number)
            await _declare_stream(jetstream, wanted)
        for durable in DURABLES:
            await _declare_durable(jetstream, durable)
    except (nats.errors.Error, TimeoutError) as error:  # Not APIError: see below.
        raise Transient(f"NATS does not declare streams now: {error or type(error).__name__}") from error


async def _declare_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> None:
    try:
        present = await _present_or_new(jetstream, wanted)
        # The first sequence cannot change any more: the stream counts by itself.
        replicas = max(wanted.num_replicas or 1, present.num_replicas or 1)
        await jetstream.update_stream(
            dataclasses.replace(wanted, first_seq=present.first_seq, num_replicas=replicas)
        )
    except APIError as error:
        raise _not_as_declared(f"stream {wanted.name}", error, wanted.num_replicas) from error


async def _present_or_new(jetstream: JetStreamContext, wanted: StreamConfig) -> StreamConfig:
    with contextlib.suppress(NotFoundError):
        return (await jetstream.stream_info(str(wanted.name))).config
    try:
        return (await jetstream.add_stream(wanted)).config
    except APIError as error:
        if error.err_code != _NAME_IN_USE:
            raise
    # Another orchestrator has created it in the meantime.
    return (await jetstream.stream_info(str(wanted.name))).config


async def _declare_durable(jetstream: JetStreamContext, durable: Durable[Any]) -> None:
    try:
        await jetstream.add_consumer(durable.stream, durable.config())
    except APIError as error:
        raise _not_as_declared(f"durable {durable.name}", error) from error


def _not_as_declared(what: str, error: APIError, replicas: int | None = None) -> Exception:
    if error.err_code == _NO_CLUSTER:
        return SettingsError(
            f"NATS_REPLICAS={replicas}: the NATS server is not one of a cluster and keeps a single copy. "
            "Set NATS_REPLICAS=1, or NATS_URL to a cluster of that many servers."
        )
    if error.err_code == _TOO_FEW_SERVERS:
        return Transient(
            f"NATS_REPLICAS={replicas}: {what} needs that many servers of the cluster, and there are fewer "
            f"now ({error.description})"
        )
    if error.err_code in _NO_ROOM:
        return Transient(
            f"NATS has no room for {what} ({error.description}). Raise `max_file_store` of the NATS server, "
            "or make room on its disk and start it again; what it has stored stays"
        )
    if error.code == _UNAVAILABLE:
        return Transient(f"NATS does not declare {what} now: {error.description}")
    return SettingsError(
        f"{what} on the NATS server cannot be made what this version declares ({error.description}). "
        "Nothing was deleted. Start the version of Pandora that made it, or set NATS_URL (embedded: "
        "PANDORA_DATA_DIR) to a place of its own for this version."
    )


async def wait_for_streams(jetstream: JetStreamContext) -> None:
    """Raises Transient until the orchestrator has declared every stream and durable."""
    try:
        for durable in DURABLES:
            await jetstream.consumer_info(durable.stream, durable.name)
    except NotFoundError as error:
        raise Transient("the orchestrator has not declared the streams yet", retry_in=0.2) from error
    except (nats.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS does not say which streams it has: {error or type(error).__name__}") from error
