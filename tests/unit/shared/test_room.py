"""When a disk is full, and what is said of it."""

import errno
from pathlib import Path

import pytest

from shared.contract.errors import Transient
from shared.process.room import Disk, Room, may_pass
from tests.servers.small_disk import small_disk

MIB = 1024 * 1024


def room(free: int, files: int | None = None) -> Room:
    return Room(folder="/data", free_bytes=free, reserve_bytes=24 * MIB, free_files=files)


def test_a_full_disk_is_named_with_what_is_left_and_what_to_do() -> None:
    assert str(room(20 * MIB + 1)) == (
        "the disk of /data is full: 20 MiB are left, and 24 MiB are kept free (DISK_RESERVE_BYTES). "
        "Make room for 4 MiB there, and Pandora goes on by itself"
    )


def test_the_reserve_itself_is_room_enough() -> None:
    assert not room(24 * MIB).is_full
    assert room(24 * MIB - 1).is_full


def test_a_disk_that_takes_no_more_files_is_full() -> None:
    assert room(999 * MIB, files=3).is_full
    assert "it takes 3 more files" in str(room(999 * MIB, files=3))
    assert not room(999 * MIB, files=1000).is_full


def test_a_folder_that_is_not_there_yet_counts_as_the_one_above(tmp_path: Path) -> None:
    assert Disk(tmp_path / "not" / "yet", 0).room().free_bytes > 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
def test_what_is_short_may_be_there_later(number: int) -> None:
    assert may_pass(OSError(number, "short"))
    assert not may_pass(FileNotFoundError(errno.ENOENT, "no such file"))


def test_room_is_demanded_of_a_real_disk() -> None:
    with small_disk(4) as small:
        disk = Disk(small.folder, 2 * MIB)
        disk.demand()
        small.fill(leave=MIB)
        with pytest.raises(Transient, match=r"is full: 1 MiB are left"):
            disk.demand()
        small.make_room()
        disk.demand()
