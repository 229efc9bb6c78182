"""python -m services.indexer.qdrant.edge_rewriting FOLDER [--without-removed]: merges segments anew.

It is a process of its own, since the engine holds Python's global lock while it optimizes: the whole indexer
would stand still (measured: 58 s at 20,000 points).
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final
from uuid import uuid4

import qdrant_edge as edge

_NICE: Final = 10
"""Searches and writes go first."""
WITHOUT_REMOVED: Final = "--without-removed"
_WITHOUT_TOLERANCE: Final = {"deleted_threshold": 1e-6, "vacuum_min_vector_number": 1}
"""By itself the engine tolerates a small share of removed points."""


def main(folder: Path, *, without_removed: bool) -> None:
    os.nice(_NICE)
    file = folder / "edge_config.json"
    config = file.read_text()
    if without_removed:
        strict = json.loads(config)
        strict["optimizers"] = {**(strict.get("optimizers") or {}), **_WITHOUT_TOLERANCE}
        file.write_text(json.dumps(strict))
    shard = edge.EdgeShard.load(str(folder))
    shard.optimize()
    _cut_log(shard, folder)
    file.write_text(config)


def _cut_log(shard: edge.EdgeShard, folder: Path) -> None:
    """The engine never cuts its log, which is of no use once the segments are flushed.

    It numbers each operation by its place in the log, and ignores one with a lower number than its point has.
    So in a new log the numbers first have to rise above those of all points, at 60 us each.
    """
    probe = uuid4()
    shard.update(edge.UpdateOperation.upsert_points([edge.Point(probe, {}, {})]))
    shard.flush()
    shard.close()
    shutil.rmtree(folder / "wal")
    shard = edge.EdgeShard.load(str(folder))
    remove = edge.UpdateOperation.delete_points([probe])
    while shard.retrieve([probe], with_payload=False, with_vector=False):
        shard.update(remove)
    shard.flush()
    shard.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), without_removed=WITHOUT_REMOVED in sys.argv)
