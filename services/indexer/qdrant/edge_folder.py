"""The folder of a Qdrant Edge shard: locked for one process, opened, copied, and restored after a crash."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as edge

from shared.process.environment import SettingsError

Indexes = dict[str, "edge.PayloadSchemaParams"]
"""By field of the payload."""

COPY, FORMER = ".copy", ".former"
"""What the folder's copy and its former version are called, after its own name, while it is rewritten."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Two engines over one folder would destroy it. The lock ends with the process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"{folder} is open in another indexer. Stop that one, or run a Qdrant server and set "
                "QDRANT_URL for both."
            ) from error
        _recover(folder)
        folder.mkdir(exist_ok=True)
        yield


def open_shard(folder: Path, config: edge.EdgeConfig, indexes: Indexes) -> edge.EdgeShard:
    if any(folder.iterdir()):
        try:
            return edge.EdgeShard.load(str(folder), config)
        except Exception as error:  # The engine raises nothing more precise.
            raise SettingsError(
                f"{folder} does not fit EMBEDDING_MODEL, or is damaged ({error}). Put the former model back, "
                "or move the folder away and run `pandora reindex`."
            ) from error
    shard = edge.EdgeShard.create(str(folder), config)
    for field, schema in indexes.items():
        shard.update(edge.UpdateOperation.create_field_index(field, schema))
    return shard


def _recover(folder: Path) -> None:
    """After a rewriting that was cut off: removes its copy, and moves the former version back."""
    former = folder.with_name(f"{folder.name}{FORMER}")
    if former.exists() and not folder.exists():
        former.rename(folder)
    for left in (former, folder.with_name(f"{folder.name}{COPY}")):
        shutil.rmtree(left, ignore_errors=True)


def copy_shard(shard: edge.EdgeShard, folder: Path, copy: Path) -> None:
    shard.flush()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)


def close_shard(shard: edge.EdgeShard) -> None:
    shard.flush()
    shard.close()
