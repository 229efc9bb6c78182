"""What each process may publish and subscribe on the bus: only what the contract and the streams say of it.

`deploy/local/nats_users.py` writes these rights into the configuration of the NATS server. A new subject or
stream is covered by its declaration; where a service has to use it in a new way, the tables here say so.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from nats.js.api import StreamConfig

from shared.bus.durables import DURABLES, ORCHESTRATOR_TURN_REQUESTED, Durable
from shared.bus.streams import API_KEYS, CHATS, IDEMPOTENCY, LIVE, STREAMS
from shared.contract import subjects
from shared.contract.users import OF_USERS, part_of, subject_for
from shared.contract.ways import ANYONE, Route, routes

SERVICES: Final = ("gateway", "orchestrator", "indexer", "inference")
OPERATOR: Final = "operator"
"""The `pandora` commands, and programs of the person who runs Pandora: all that anyone may, for every user;
read every stream; change none."""
IDENTITIES: Final = (*SERVICES, OPERATOR)

_OF_TURNS: Final = [stream for stream in STREAMS if stream is not API_KEYS]
_BUCKETS: Final = {"gateway": (IDEMPOTENCY, CHATS), "orchestrator": _OF_TURNS, OPERATOR: (API_KEYS,)}
"""The buckets whose values a process reads and writes."""
_API: Final = "$JS.API"
_DECLARE: Final = ("STREAM.CREATE.{}", "STREAM.UPDATE.{}", "CONSUMER.DURABLE.CREATE.{}.*")
_READ: Final = ("STREAM.INFO.{}", "STREAM.MSG.GET.{}", "DIRECT.GET.{}", "DIRECT.GET.{}.>")
_FOLLOW: Final = (
    *("CONSUMER.CREATE.{}", "CONSUMER.CREATE.{}.>", "CONSUMER.INFO.{}.*"),
    *("CONSUMER.MSG.NEXT.{}.*", "CONSUMER.DELETE.{}.*"),
)
_ERASE: Final = ("STREAM.MSG.DELETE.{}", "STREAM.PURGE.{}")
_LOOK_AROUND: Final = (f"{_API}.INFO", f"{_API}.STREAM.LIST", f"{_API}.STREAM.NAMES")


class Rights(msgspec.Struct, frozen=True):
    """Subjects, with wildcards. What is not in them is refused by the server."""

    publish: list[str]
    subscribe: list[str]


def inbox_of(identity: str) -> str:
    """The prefix of the inboxes in which a process gets its answers. No other may subscribe to them."""
    return f"_INBOX.{identity}"


def rights_of(identity: str) -> Rights:
    """Of a service, or of OPERATOR."""
    every = routes()
    sent = [one for one in every if identity in _askers(one)]
    received = [one for one in every if identity in _hearers(one)]
    publish = [subject for one in sent for subject in _subjects_of(one, identity)]
    publish += [f"{inbox_of(asker)}.>" for one in received if one.is_asked for asker in _askers(one)]
    publish += [str((bucket.subjects or [])[0]) for bucket in _buckets_of(identity)]
    subscribe = [subject for one in received for subject in _subjects_of(one, identity)]
    subscribe.append(f"{inbox_of(identity)}.>")
    if identity == OPERATOR:
        publish.append("$SRV.>")
    else:
        publish.append(f"{inbox_of(OPERATOR)}.>")  # What `nats micro ls` asks, every service answers.
        subscribe += ["$SRV.*", f"$SRV.*.pandora-{identity}", f"$SRV.*.pandora-{identity}.*"]
    if identity == "gateway":
        publish.append(f"{inbox_of(OF_USERS)}.>")
        subscribe.append(f"{OF_USERS}.>")
    publish += _jetstream_of(identity)
    return Rights(sorted(set(publish)), sorted(set(subscribe)))


def rights_of_user(user: str) -> Rights:
    """Of a user's own programs: what a gateway takes for this user alone."""
    return Rights([subject_for(user, ">")], [f"{inbox_of_user(user)}.>"])


def inbox_of_user(user: str) -> str:
    return inbox_of(f"{OF_USERS}.{part_of(user)}")


def _askers(route: Route) -> set[str]:
    return _named(route.way.senders, ("gateway", OPERATOR))


def _hearers(route: Route) -> set[str]:
    return _named(route.way.receivers, (OPERATOR,))


def _named(parties: Iterable[str], anyone: Iterable[str]) -> set[str]:
    found = set(parties)
    return found - {ANYONE} | set(anyone) if ANYONE in found else found


def _subjects_of(route: Route, identity: str) -> Iterator[str]:
    """The subjects of a route that this process uses, where the contract names only their family."""
    if route.address == subjects.BUCKETS:
        return  # Each bucket has writers of its own.
    if route.address == subjects.DEAD_LETTERS and identity in SERVICES:
        durables = [ORCHESTRATOR_TURN_REQUESTED, *DURABLES]
        own = (one.name for one in durables if one.name.startswith(f"{identity}-"))
        yield from (subjects.DEAD_LETTERS.format(durable=name) for name in own)
    elif route.address == subjects.REPLAYS:
        yield from (one.replay_subject or one.subject for one in _replayed_by(identity))
    else:
        yield ".".join("*" if part.startswith("{") else part for part in route.address.split("."))


def _replayed_by(identity: str) -> list[Durable[Any]]:
    """The orchestrator replays dead letters of all durables. A service gets those of its own."""
    every = [ORCHESTRATOR_TURN_REQUESTED, *DURABLES]
    return [one for one in every if identity == "orchestrator" or one.name.startswith(f"{identity}-")]


def _buckets_of(identity: str) -> list[StreamConfig]:
    return [one for one in _BUCKETS.get(identity, ()) if str(one.name).startswith("KV_")]


# --- JetStream: its API is a set of subjects too ---


def _jetstream_of(identity: str) -> Iterator[str]:
    match identity:
        case "orchestrator":  # It declares the streams, reads them whole, and erases from them.
            yield from _LOOK_AROUND
            yield from _api(STREAMS, *_DECLARE, "STREAM.INFO.{}")
            yield from _api(_OF_TURNS, *_READ, *_FOLLOW, *_ERASE)
            yield "$JS.FC.>"
        case "gateway":
            yield from _api([LIVE], *_READ)
            yield from _api([API_KEYS], *_READ, *_FOLLOW)
            yield "$JS.FC.>"
            yield from _api(_buckets_of(identity), *_READ, *_ERASE)
        case "indexer":  # A late event of what was forgotten it erases by itself.
            yield from _api(_streams_read_by(identity), "STREAM.MSG.GET.{}", "STREAM.MSG.DELETE.{}")
            yield from (f"{_API}.CONSUMER.INFO.{one.stream}.{one.name}" for one in DURABLES)
        case "operator":
            yield from _LOOK_AROUND
            yield from _api(STREAMS, *_READ, *_FOLLOW, "CONSUMER.LIST.{}", "CONSUMER.NAMES.{}")
            yield "$JS.FC.>"
            yield from (f"$JS.ACK.{one.name}.>" for one in STREAMS)
    for durable in DURABLES:
        if durable.name.startswith(f"{identity}-"):
            yield f"{_API}.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}"
            yield f"$JS.ACK.{durable.stream}.{durable.name}.>"


def _streams_read_by(identity: str) -> list[StreamConfig]:
    names = {one.stream for one in DURABLES if one.name.startswith(f"{identity}-")}
    return [stream for stream in STREAMS if stream.name in names]


def _api(streams: Iterable[StreamConfig], *verbs: str) -> Iterator[str]:
    return (f"{_API}.{verb.format(stream.name)}" for stream in streams for verb in verbs)
