"""One representative instance of every message on the bus, each field away from its default.

`python -m tests.contracts.messages.samples` writes them to the golden files. A golden file that changes is a
contract that changes: a field may be added, with a default; anything else takes a new version.
"""

from pathlib import Path

import msgspec

from shared.contract.events import encode
from tests.contracts.messages.sampled_events import LIVE, STORED
from tests.contracts.messages.sampled_files import OF_FILES
from tests.contracts.messages.sampled_memory import OF_MEMORY
from tests.contracts.messages.sampled_research import OF_RESEARCH
from tests.contracts.messages.sampled_responses import OF_RESPONSES
from tests.contracts.messages.sampled_turns import OF_TURNS

GOLDEN = Path(__file__).parents[1] / "golden"

ASKED: dict[str, msgspec.Struct] = {**OF_FILES, **OF_MEMORY, **OF_RESEARCH, **OF_RESPONSES, **OF_TURNS}
ALL: dict[str, msgspec.Struct] = {
    **{event.subject: event for event in STORED},
    **{f"turn.stream.{event.type}": event for event in LIVE},
    **ASKED,
}
"""By the name of the golden file: the subject, without what stands for an id."""


def golden_text(message: msgspec.Struct) -> str:
    return msgspec.json.format(encode(message), indent=2).decode() + "\n"


if __name__ == "__main__":
    for name, message in ALL.items():
        (GOLDEN / f"{name}.json").write_text(golden_text(message))
