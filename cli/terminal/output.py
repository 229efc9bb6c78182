"""What commands print: answers on stdout; notes, questions and errors on stderr.

Text may come from a model, a web page or another user. No control character of it reaches the terminal.
"""

import json
import sys
from collections.abc import Collection
from io import TextIOWrapper

from rich.console import Console
from rich.table import Table

# Texts are printed as they are: rich would read `[bold]` and `:bee:` in them as commands.
console = Console(markup=False, emoji=False, highlight=False)
errors = Console(markup=False, emoji=False, highlight=False, stderr=True)


def allow_any_encoding() -> None:
    """Shows `?` for what the terminal's encoding does not have, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def harmless(text: str) -> str:
    """Returns the text with U+FFFD in place of each character that could control the terminal."""
    return "".join(one if _is_shown(one) else "\N{REPLACEMENT CHARACTER}" for one in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in "\n\t"


def print_text(text: str) -> None:
    console.print(harmless(text), soft_wrap=True)


def print_piece(text: str) -> None:
    """Prints a piece of a line, without an end."""
    console.print(harmless(text), end="", soft_wrap=True)


def print_json(value: object) -> None:
    """Prints indented JSON. What could control the terminal is kept as the escape that JSON has for it."""
    text = json.dumps(value, ensure_ascii=not console.encoding.startswith("utf"), indent=2)
    shown = "".join(one if _is_shown(one) else json.dumps(one)[1:-1] for one in text)
    console.print(shown, soft_wrap=True)


def print_error(text: str) -> None:
    errors.print(harmless(text), soft_wrap=True)


def print_note(text: str) -> None:
    """Prints what happens meanwhile, dimmed."""
    errors.print(harmless(text), style="dim", soft_wrap=True)


def plain_table(*headings: str, right: Collection[str] = ()) -> Table:
    """A table without lines. Long cells go on in the next line. `right`: the columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in right else "left")
    return table


def counted(count: int, one: str, many: str) -> str:
    """`1 turn`, `1,200 turns`."""
    return f"{count:,} {one if count == 1 else many}"
