"""What commands print: nothing that a model or another user wrote controls the terminal."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.terminal import output
from cli.terminal.output import counted, harmless, print_json, print_text
from tests.stack import ROOT


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


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437", "utf-8"])
def test_a_terminal_of_any_encoding_shows_what_it_can(encoding: str) -> None:
    program = (
        "from cli.terminal.output import *\n"
        "allow_any_encoding()\n"
        "print_text('Łódź 🐝 café'); print_error('“Łódź”'); print_json({'home': 'Łódź'})"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        cwd=ROOT,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    first, *rest = ended.stdout.decode(encoding).splitlines()
    assert first == "Łódź 🐝 café".encode(encoding, "replace").decode(encoding)
    assert json.loads("".join(rest)) == {"home": "Łódź"}


def test_an_argument_that_is_no_text_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "memories", "add", b"caf\xe9"],
        env={**os.environ, "PANDORA_URL": "http://127.0.0.1:9"},
        capture_output=True,
        cwd=ROOT,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr.decode() == (
        "'caf\\udce9' is not UTF-8 and cannot be sent. Set your terminal to UTF-8, such as LANG=C.UTF-8.\n"
    )
