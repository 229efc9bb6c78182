"""Small files that lead from a turn's id to its documents, and from a user to the ids of their turns.

`turns/ids/<last two characters>/<turn id>` holds the path of the documents.
`turns/by_user/<user>.ids/<thousands>/<turn id>` is empty.
`turns/by_id/<turn id>` is the form of earlier versions: `sort` moves such a pointer to its new place.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from services.orchestrator.documents.zips import TurnOwner, owner_of
from services.orchestrator.turn.state import turn_dir


class TurnPointers:
    """The pointers of all turns. A pointer may lead to nothing: it is written before the documents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = folder / "ids"
        self._by_user = folder / "by_user"
        self._former = folder / "by_id"

    def path_of(self, turn_id: str) -> Path | None:
        """The path in the turn's pointer; None without a pointer."""
        for pointer in (self._ids / turn_id[-2:] / turn_id, self._former / turn_id):
            with contextlib.suppress(FileNotFoundError):
                return self._folder / pointer.read_text()
        return None

    def place_of(self, turn_id: str) -> Path:
        """Where the turn's pointer belongs, in a folder that exists."""
        folder = self._ids / turn_id[-2:]
        folder.mkdir(parents=True, exist_ok=True)
        return folder / turn_id

    def note_owner(self, owner: TurnOwner) -> None:
        pointer = self._of_owner(owner)
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.touch()

    def of_user(self, user: str) -> Iterator[str]:
        """The ids of the user's turns, and of all turns whose pointers are not sorted yet."""
        for pointer in self._folder_of(user).glob("*/*"):
            yield pointer.name
        yield from self.unsorted()

    def unsorted(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(pointer.name for pointer in self._former.iterdir())
        return []

    def sort(self, turn_id: str) -> None:
        """The owner is noted first: at any time one of both forms names the turn."""
        former, pointer = self._former / turn_id, self.place_of(turn_id)
        if not former.exists():
            return
        if pointer.exists():
            former.unlink()
            return
        if (owner := owner_of(self._folder / former.read_text())) is not None:
            self.note_owner(owner)
        former.replace(pointer)

    def remove_owner(self, owner: TurnOwner) -> None:
        pointer = self._of_owner(owner)
        pointer.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Other turns are in there.
            pointer.parent.rmdir()
            pointer.parent.parent.rmdir()

    def remove(self, turn_id: str) -> None:
        self.place_of(turn_id).unlink(missing_ok=True)
        (self._former / turn_id).unlink(missing_ok=True)

    def _of_owner(self, owner: TurnOwner) -> Path:
        thousands = turn_dir(owner.turn_number).partition("/")[0]
        return self._folder_of(owner.user) / thousands / owner.turn_id

    def _folder_of(self, user: str) -> Path:
        return self._by_user / f"{user}.ids"  # A user may be called `..`
