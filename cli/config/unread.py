"""Names in `.env` that no process reads: most are misspelt."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from cli.config.env_example import render_example
from shared.process.environment import ENV_FILE, in_env_file

_NAME = re.compile(r"^#([A-Z][A-Z0-9_]*)=", re.MULTILINE)


def unread_names() -> Iterator[str]:
    """Yields a line for each, with the nearest name that is read. Raises SettingsError."""
    read = _NAME.findall(render_example())
    for name in in_env_file():
        if name not in read:
            nearest = get_close_matches(name, read, n=1)
            meant = f"Did you mean {nearest[0]}?" if nearest else "`pandora config` shows what there is."
            yield f"{name} in {ENV_FILE} is no setting, and nothing reads it. {meant}"
