"""AsyncAPI's own parser finds nothing wrong with docs/asyncapi.json."""

import shutil
import subprocess
from pathlib import Path

from tests.missing import skip_unless_ci

ROOT = Path(__file__).parents[2]
PARSER = ROOT / "build" / "asyncapi"
"""Where `make build/asyncapi` installs it."""
_PARSE = """
const { Parser } = require(process.argv[1] + "/node_modules/@asyncapi/parser");
const read = require("fs").readFileSync;
new Parser().parse(read(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  for (const found of diagnostics) {
    if (found.severity < 2) console.log(found.path.join("."), found.message);
  }
  if (document === undefined) console.log("the document cannot be read");
});
"""
"""Severity 0 is an error, 1 a warning; 2 says that there is a newer version of AsyncAPI."""
_SECONDS = 120.0


def test_the_document_is_valid_to_the_official_parser() -> None:
    node = _node()
    command = [node, "-e", _PARSE, str(PARSER), str(ROOT / "docs" / "asyncapi.json")]

    found = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)

    assert found.stdout == ""


def _node() -> str:
    """Skips the test where node or the parser is missing."""
    node = shutil.which("node")
    if node is None or not (PARSER / "node_modules").is_dir():
        skip_unless_ci("node or the AsyncAPI parser is not installed (`make build/asyncapi` installs it)")
    return node
