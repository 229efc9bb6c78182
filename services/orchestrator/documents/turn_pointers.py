"""Small files that lead from a turn's id to its documents, and from a user to the ids of their turns.

`turns/ids/<last two characters>/<turn id>` holds the path of the documents.
`turns/by_user/<user>.noted/<thousands>/<turn id>` is empty: what the turn was given is noted as well.
`turns/by_user/<user>.ids/<thousands>/<turn id>` is the same of a turn whose sources are not noted, and
`turns/by_id/<turn id>` is the form of still earlier versions: `sort` moves both to their new places.
"""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from services.orchestrator.documents.pointing import move, touch
from services.orchestrator.documents.turn_sources import TurnSources
from services.orchestrator.documents.zips import TurnOwner, keys_of, owner_of
from services.orchestrator.turn.state import turn_dir
from shared.process.files import files_below


class TurnPointers:
    """The pointers of all turns. A pointer may lead to nothing: it is written before the documents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = folder / "ids"
        self._by_user = folder / "by_user"
        self._former = folder / "by_id"
        self._sources = TurnSources(folder)

    def path_of(self, turn_id: str) -> Path | None:
        """The path in the turn's pointer; None without a pointer."""
        # Asked twice of every turn, which hardly ever has one by then: a Path would cost as much again.
        for pointer in (self.place_of(turn_id), f"{self._former}/{turn_id}"):
            with contextlib.suppress(FileNotFoundError), open(pointer, encoding="utf-8") as file:  # noqa: PTH123
                return self._folder / file.read()
        return None

    def place_of(self, turn_id: str) -> str:
        """Where the turn's pointer belongs."""
        return f"{self._ids}/{turn_id[-2:]}/{turn_id}"

    def note_owner(self, owner: TurnOwner, sources: Collection[str] | None) -> None:
        """`sources`: as `keys_in` returns them."""
        if sources is not None:
            self._sources.note(owner.user, owner.turn_id, sources)
        touch(self._of_owner(owner, "ids" if sources is None else "noted"))

    def of_user(self, user: str) -> Iterator[str]:
        """The ids of the user's turns, and of all turns whose pointers are not sorted yet."""
        yield from _names_in(self._folder_of(user, "noted"))
        yield from self._unsorted_of(user)

    def given(self, user: str, sources: Collection[str]) -> set[str]:
        """The ids of the user's turns that were given any of these, and of all that may have been."""
        return {*self._sources.given(user, sources), *self._unsorted_of(user)}

    def _unsorted_of(self, user: str) -> Iterator[str]:
        yield from _names_in(self._folder_of(user, "ids"))
        yield from self._named_by_id_alone()

    def unsorted(self) -> list[str]:
        of_users = (name for folder in self._by_user.glob("*.ids") for name in _names_in(folder))
        return sorted({*self._named_by_id_alone(), *of_users})

    def _named_by_id_alone(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [pointer.name for pointer in self._former.iterdir()]
        return []

    def sort(self, turn_id: str) -> None:
        """What is new is written first: at any time one of the forms names the turn."""
        former, pointer = self._former / turn_id, Path(self.place_of(turn_id))
        path = self.path_of(turn_id)
        owner = None if path is None else owner_of(path)
        unnoted = None if owner is None else self._of_owner(owner, "ids")
        is_noted = unnoted is None or not (unnoted.exists() or former.exists())
        if path is not None and owner is not None and not is_noted:
            sources = keys_of(path)
            self.note_owner(owner, sources)
            if sources is not None:
                self._remove_owner(owner, "ids")
        if pointer.exists():
            former.unlink(missing_ok=True)
        elif former.exists():
            move(former, pointer)

    def remove_owner(self, owner: TurnOwner) -> None:
        for form in ("noted", "ids"):
            self._remove_owner(owner, form)

    def _remove_owner(self, owner: TurnOwner, form: str) -> None:
        pointer = self._of_owner(owner, form)
        pointer.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Other turns are in there.
            pointer.parent.rmdir()
            pointer.parent.parent.rmdir()

    def remove_sources(self, owner: TurnOwner, sources: Collection[str]) -> None:
        self._sources.remove(owner.user, owner.turn_id, sources)

    def remove(self, turn_id: str) -> None:
        Path(self.place_of(turn_id)).unlink(missing_ok=True)
        (self._former / turn_id).unlink(missing_ok=True)

    def _of_owner(self, owner: TurnOwner, form: str) -> Path:
        thousands = turn_dir(owner.turn_number).partition("/")[0]
        return self._folder_of(owner.user, form) / thousands / owner.turn_id

    def _folder_of(self, user: str, form: str) -> Path:
        return self._by_user / f"{user}.{form}"  # A user may be called `..`


def _names_in(folder: Path) -> Iterator[str]:
    return (pointer.name for pointer in files_below(folder))
