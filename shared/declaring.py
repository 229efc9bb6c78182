"""Brings a NATS server to what `shared.streams` declares: makes what is missing, updates what differs.

What JetStream cannot change in place (retention, storage) ends with an error that says so; nothing here ever
deletes data.
"""

import contextlib
import dataclasses
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.errors import SettingsError, Transient
from shared.streams import DURABLES, QUEUE_LIMIT, STREAMS, TURNS, Durable

_NAME_IN_USE: Final = 10058
_NO_CLUSTER: Final = 10074
_TOO_FEW_SERVERS: Final = 10005
_UNAVAILABLE: Final = 503


async def declare_streams(
    jetstream: JetStreamContext,
    *,
    first_turn_number: int,
    queue_limit: int = QUEUE_LIMIT,
    replicas: int = 1,
) -> None:
    """Creates or updates every stream and durable; what is right already stays as it is.

    `first_turn_number` starts the sequence of a TURNS stream that has to be made anew (the store was lost),
    so that turn numbers go on rising. `replicas` is how many servers of a cluster keep each stream; durables
    follow their stream, and a number once given is raised here and never lowered. Raises SettingsError where
    the server holds another kind of stream or is no cluster, and Transient where it cannot answer now.
    """
    try:
        for declared in STREAMS:
            wanted = dataclasses.replace(declared, num_replicas=replicas)
            if declared is TURNS:
                wanted = dataclasses.replace(wanted, max_msgs=queue_limit, first_seq=first_turn_number)
            await _declare_stream(jetstream, wanted)
        for durable in DURABLES:
            await _declare_durable(jetstream, durable)
    except (nats.errors.Error, TimeoutError) as error:  # APIError and its kind are read where they come.
        raise Transient(f"NATS does not declare streams now: {error or type(error).__name__}") from error


async def _declare_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> None:
    try:
        present = await _present_or_new(jetstream, wanted)
        # The first sequence is history by now: JetStream keeps its own count.
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
    # Another orchestrator has made it in between.
    return (await jetstream.stream_info(str(wanted.name))).config


async def _declare_durable(jetstream: JetStreamContext, durable: Durable) -> None:
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
    if error.code == _UNAVAILABLE:
        return Transient(f"NATS does not declare {what} now: {error.description}")
    return SettingsError(
        f"{what} on the NATS server cannot be made what this version declares ({error.description}). "
        "Nothing was deleted. Back up what is in the way, remove it, and start again."
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
