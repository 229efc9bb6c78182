"""`pandora archive`: has the documents of old turns compressed, step by step."""

from urllib.parse import urlencode

from rich.filesize import decimal

from cli.client.gateway import OF_ORCHESTRATOR, own_gateway, silent_for
from cli.terminal.output import print_text
from cli.terminal.progress import spinner

_SLOW = silent_for(300.0)


async def archive_turns(older_than_days: float | None, *, dry_run: bool) -> None:
    query = {"dry_run": str(dry_run).lower()}
    if older_than_days is not None:
        query["older_than_days"] = str(older_than_days)
    turns, before, after = await _archive(query)
    if dry_run:
        print_text(f"{turns:,} turns would be archived; their documents have {decimal(before)}.")
    elif not turns:
        print_text("No turns are that old.")
    else:
        print_text(
            f"Archived {turns:,} turns: {decimal(before)} before, {decimal(after)} now, "
            f"{decimal(before - after)} saved."
        )


async def _archive(query: dict[str, str]) -> tuple[int, int, int]:
    """Asks again until no turn is left. Returns the turns, and their bytes before and after."""
    turns = before = after = 0
    async with own_gateway(_SLOW, needs=[OF_ORCHESTRATOR]) as gateway:
        with spinner("Archiving") as say:
            while True:
                reply = await gateway.call("POST", f"/v1/admin/archive?{urlencode(query)}")
                turns += reply["turns"]
                before += reply["bytes_before"]
                after += reply["bytes_after"]
                say(f"{turns:,} turns, {reply['left']:,} to go")
                if not reply["left"]:
                    return turns, before, after
