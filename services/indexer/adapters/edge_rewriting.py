"""python -m services.indexer.adapters.edge_rewriting FOLDER [--without-removed]: merges segments anew.

A process of its own: the engine holds Python's lock while it optimizes, so that the whole indexer would
stand still (measured: 58 s at 20,000 points).
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
"""Questions and writes go before."""
WITHOUT_REMOVED: Final = "--without-removed"
_FORGIVING_NOTHING: Final = {"deleted_threshold": 1e-6, "vacuum_min_vector_number": 1}
"""The engine's own vacuum passes small shares of removed points over."""


def main(folder: Path, *, without_removed: bool) -> None:
    os.nice(_NICE)
    file = folder / "edge_config.json"
    config = file.read_text()
    if without_removed:
        strict = json.loads(config)
        strict["optimizers"] = {**(strict.get("optimizers") or {}), **_FORGIVING_NOTHING}
        file.write_text(json.dumps(strict))
    shard = edge.EdgeShard.load(str(folder))
    shard.optimize()
    _cut_log(shard, folder)
    file.write_text(config)


def _cut_log(shard: edge.EdgeShard, folder: Path) -> None:
    """The engine never cuts its log, which holds nothing more than the segments do once they are flushed.

    It numbers what it does by the place in the log, and passes over whatever has a lower number than the
    point that it is about: in a new log the numbers first rise above those of all points, at 60 us each.
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
