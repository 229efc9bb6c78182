"""A zip as it is made, read by the standard library and by `unzip`."""

import shutil
import subprocess
import tracemalloc
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.exports import zip as zipping
from services.gateway.exports.zip import Zip

AT = datetime(2026, 3, 5, 10, 20, 30, tzinfo=UTC)
FILES = {
    "messages.ndjson": b"messages" * 1000,
    "empty.md": b"",
    "turns/1/caf\u00e9 \U0001f41d.md": b"\x00\xff" * 70_000,
}


def zipped(files: dict[str, bytes], *, at: datetime = AT, piece: int = 1000) -> bytes:
    made = Zip(at)
    parts = []
    for name, data in files.items():
        made.begin(name, may_be_huge=name.endswith(".ndjson"))
        parts += [made.write(data[start : start + piece]) for start in range(0, len(data), piece)]
    return b"".join([*parts, made.close()])


def read(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_zip_is_whole_when_its_parts_are_put_together(tmp_path: Path) -> None:
    file = tmp_path / "made.zip"
    file.write_bytes(zipped(FILES))

    assert read(file) == FILES
    with zipfile.ZipFile(file) as opened:
        about = opened.getinfo("empty.md")
        assert about.date_time == (2026, 3, 5, 10, 20, 30)
        assert about.external_attr >> 16 == 0o100644


def test_a_zip_of_nothing_is_one(tmp_path: Path) -> None:
    file = tmp_path / "made.zip"
    file.write_bytes(zipped({}))

    assert read(file) == {}


def test_a_zip_from_before_there_were_zips_is_of_1980(tmp_path: Path) -> None:
    file = tmp_path / "made.zip"
    file.write_bytes(zipped(FILES, at=datetime(1970, 1, 1, tzinfo=UTC)))

    with zipfile.ZipFile(file) as opened:
        assert opened.getinfo("empty.md").date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("full", [zipping._FULL, 1000, 1])
def test_numbers_that_are_too_large_for_their_fields_come_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: int
) -> None:
    """As with more than 4 GiB, where the limit is lower."""
    real = zipping._FULL

    class Limit(int):
        """Compares like `full`, and is written like the real one."""

        def __le__(self, number: int) -> bool:
            return full <= number

        def __gt__(self, number: int) -> bool:
            return full > number

        def __lt__(self, number: int) -> bool:
            return full < number

        def __ge__(self, number: int) -> bool:
            return full >= number

    monkeypatch.setattr(zipping, "_FULL", Limit(real))
    file = tmp_path / "made.zip"
    file.write_bytes(zipped(FILES))

    assert read(file) == FILES
    if shutil.which("unzip"):
        tested = subprocess.run(["unzip", "-tqq", str(file)], capture_output=True, text=True)
        assert tested.returncode == 0, tested.stdout + tested.stderr


def test_many_files_are_listed_in_little_memory(tmp_path: Path) -> None:
    names = [f"turns/{number:06d}_0192f0bf-0000-7abc-8def-0123456789ab/d.md" for number in range(70_000)]
    made = Zip(AT)
    tracemalloc.start()
    with (tmp_path / "made.zip").open("wb") as file:
        for name in names:
            made.begin(name)
            file.write(made.write(b"x"))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        file.write(made.close())

    assert held < 160 * len(names)
    with zipfile.ZipFile(tmp_path / "made.zip") as opened:
        assert opened.namelist() == names
        assert opened.read(names[-1]) == b"x"


@given(st.dictionaries(st.from_regex(r"[a-z/.\u00e9]{1,20}", fullmatch=True), st.binary(max_size=3000)))
def test_whatever_goes_in_comes_out(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(BytesIO(zipped(files, piece=700))) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files


def test_nothing_is_written_before_a_file_is_begun() -> None:
    with pytest.raises(ValueError, match="begin"):
        Zip(AT).write(b"x")
