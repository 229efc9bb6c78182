"""What is quoted in a log stays in its line."""

import json
import logging

import pytest

from shared.process.logs import configure_logs

FORGED = "a\n2026-01-01 ERROR forged\r\x1b[31m\u2028b\x85c"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_record_is_one_line_whatever_it_quotes(capsys: pytest.CaptureFixture[str], form: str) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logs("INFO", form)
        logging.getLogger("gateway").warning("%s is refused", FORGED)
        written = capsys.readouterr().err
    finally:
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)

    (line,) = written.rstrip("\n").split("\n")
    assert "\x1b" not in line
    if form == "json":
        assert json.loads(line)["message"] == f"{FORGED} is refused"
    else:
        assert r"a\n2026-01-01 ERROR forged\r\x1b[31m" in line
