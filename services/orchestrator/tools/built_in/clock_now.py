"""clock.now: the current date and time."""

import difflib
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from services.orchestrator.tools.ports import Clock
from services.orchestrator.tools.tool import BadArguments, Caller, Tool, make_tool


class ClockArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    time_zone: Annotated[
        str, msgspec.Meta(max_length=64, description="IANA name, like Europe/Lisbon or America/New_York")
    ] = "UTC"


def clock_now(clock: Clock) -> Tool:
    async def now(arguments: ClockArguments, caller: Caller) -> str:
        at = clock().astimezone(_zone(arguments.time_zone))
        return (
            f"{at:%A}, {at.day} {at:%B %Y}, {at:%H:%M:%S} in {arguments.time_zone}\n"
            f"{at.isoformat(timespec='seconds')}, week {at.isocalendar().week}, day {at:%j} of the year"
        )

    return make_tool("clock.now", "The date and the time, now.", "read", ClockArguments, now)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        wanted = name.strip().replace(" ", "_").casefold()
        known = {zone.casefold(): zone for zone in available_timezones()}
        by_city = {zone.rpartition("/")[2]: zone for zone in known}
        near = [
            by_city.get(each, each) for each in difflib.get_close_matches(wanted, [*known, *by_city], n=3)
        ]
        advice = f"; did you mean {' or '.join(known[each] for each in near)}?" if near else ""
        raise BadArguments(f"time_zone: there is no time zone {name!r}{advice}") from error
