"""Folders are read while others write in them."""

import shutil
import threading
from pathlib import Path

from shared.process.files import files_below
from tests.files import files_with


def test_all_files_at_any_depth(tmp_path: Path) -> None:
    for name in ("a", "b/c", "b/d/e"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert {str(path.relative_to(tmp_path)) for path in files_below(tmp_path)} == {"a", "b/c", "b/d/e"}
    assert list(files_below(tmp_path / "missing")) == []


def test_folders_that_come_and_go_meanwhile_raise_nothing(tmp_path: Path) -> None:
    (tmp_path / "stays").touch()
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            (tmp_path / "x/y").mkdir(parents=True)
            (tmp_path / "x/y/z").write_text("gone soon")
            shutil.rmtree(tmp_path / "x")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(3_000):
            assert tmp_path / "stays" in files_below(tmp_path)
            list(files_with(tmp_path, b"gone soon"))
    finally:
        over.set()
        thread.join()


def test_files_with_the_bytes_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"\x00 Ribarroja \xff")
    (tmp_path / "two").write_bytes(b"another")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    assert list(files_with(tmp_path, b"ribarroja")) == [tmp_path / "one"]
