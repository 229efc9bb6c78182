"""How `pandora status` looks."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.terminal.output import plain_table
from cli.upkeep.status_report import OwnTurns, PartStatus, Status
from shared.process.room import Room


def render(status: Status) -> RenderableType:
    return Group(_parts(status), Text(), _queues(status), Text(), _facts(status))


def _parts(status: Status) -> Table:
    numbers = {"pid", "port", "up", "memory", "restarts"}
    table = plain_table("part", "pid", "port", "ready", "up", "memory", "restarts", right=numbers)
    for part in status.parts:
        table.add_row(
            part.name,
            str(part.pid or "-"),
            str(part.port or "-"),
            _readiness(part),
            format_duration(part.uptime_seconds) if part.pid else "-",
            format_bytes(part.memory_bytes) if part.pid else "-",
            str(part.restarts or "-"),
        )
    return table


def _readiness(part: PartStatus) -> Text:
    return Text("yes", style="green") if part.ready else Text(f"no: {part.note}", style="red")


def _queues(status: Status) -> Table:
    numbers = {"messages", "size", "waiting", "in hand"}
    table = plain_table("stream", "messages", "size", "waiting", "in hand", "read by", right=numbers)
    for stream in status.streams:
        queues = [queue for queue in status.queues if queue.stream == stream.name]
        table.add_row(
            stream.name,
            f"{stream.messages:,}",
            format_bytes(stream.bytes),
            ", ".join(f"{queue.waiting:,}" for queue in queues) or "-",
            ", ".join(f"{queue.in_hand:,}" for queue in queues) or "-",
            ", ".join(queue.name for queue in queues) or "-",
        )
    return table


def _facts(status: Status) -> Table:
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    engine, counts = status.engine, status.counts
    if engine:
        work = f"{engine.running} running, {engine.waiting} waiting"
        grid.add_row(
            "engine", Text(f"{engine.engine}, model {', '.join(engine.models) or 'none yet'}; {work}")
        )
    else:
        grid.add_row("engine", "no answer; see `pandora logs inference`")
    if counts:
        grid.add_row(
            "memory",
            f"turns: {counts.rows:,}, vectors: {counts.points:,}, last turn: {counts.highest_turn_number:,}",
        )
    else:
        grid.add_row("memory", "no answer; see `pandora logs indexer`")
    if status.embedder:
        grid.add_row("embedder", Text(f"{status.embedder.model} on {status.embedder.engine}"))
    if status.turns:
        grid.add_row("your turns", Text(_own_turns(status.turns)))
    grid.add_row("data", Text(status.data_dir))
    if status.room:
        grid.add_row("disk", _room(status.room))
    return grid


def _room(room: Room) -> Text:
    if room.is_full:
        return Text(str(room), style="red")
    return Text(f"{format_bytes(room.free_bytes)} left")


def _own_turns(turns: OwnTurns) -> str:
    if turns.note:
        return turns.note
    work = f"{turns.queued:,} queued, {turns.running:,} running"
    verb = "waits" if turns.waiting == 1 else "wait"
    how = "; `pandora approve` lists them" if turns.waiting else ""
    return f"{work}, {turns.waiting:,} {verb} for an answer{how}"


def format_bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def format_duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
