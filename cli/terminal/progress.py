"""How far a command is, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cli.terminal.output import errors


class _Speed(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self._unit}/s")


def progress_bar(unit: str, *, show: bool = True) -> Progress:
    """A bar with the count, the speed in `unit` per second, and the time that is left."""
    columns = (BarColumn(), MofNCompleteColumn(), _Speed(unit), TimeRemainingColumn())
    return Progress(*columns, console=errors, disable=not show)


def bytes_bar(*, show: bool = True) -> Progress:
    """A bar with how far a file is read, and the time that is left. Its description says what came of it."""
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    return Progress(*columns, console=errors, disable=not show)


@contextmanager
def spinner(what: str) -> Iterator[Callable[[str], None]]:
    """Shows `what` and the time that has passed. It gives a function that adds how far it is."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what)
        yield lambda far: progress.update(task, description=f"{what}: {far}")
