"""What commands print: nothing that a model or another user wrote controls the terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.terminal import output
from cli.terminal.output import counted, harmless, print_json, print_text


def test_what_could_control_the_terminal_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    print_text("a\x1b[31mb [bold]c[/bold] :bee: üñ 🐝")

    assert capsys.readouterr().out == "a\N{REPLACEMENT CHARACTER}[31mb [bold]c[/bold] :bee: üñ 🐝\n"


@given(st.text())
def test_harmless_text_stays_as_long_as_it_was(text: str) -> None:
    shown = harmless(text)

    assert len(shown) == len(text)
    assert all(one.isprintable() or one in "\n\t" for one in shown)
    assert harmless(shown) == shown


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_json_keeps_every_character_and_controls_nothing(value: dict[str, object]) -> None:
    with output.console.capture() as printed:
        print_json(value)

    assert json.loads(printed.get()) == value
    assert all(one.isprintable() or one == "\n" for one in printed.get())


def test_one_of_a_kind_is_counted_as_one() -> None:
    assert [counted(count, "turn", "turns") for count in (0, 1, 1200)] == ["0 turns", "1 turn", "1,200 turns"]
