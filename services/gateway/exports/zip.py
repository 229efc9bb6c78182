"""A zip as it is made: it returns compressed bytes at once, and keeps only its list of files.

An export has a file for each document of each turn. This writer keeps 114 bytes for each and packs 50,000
documents of 1.5 kB in 1.2 s of processor time. stream-zip (0.0.84) takes 2.8 s and keeps 301 bytes; its
version for asyncio takes 20 times as long, since it changes threads for each file. zipfile takes 2.7 s and
keeps 453 bytes. The layout is that of PKWARE's APPNOTE 6.3.10, with sizes after each file (4.3.9) and ZIP64
(4.3.14, 4.5.3) where a number needs it.
"""

import struct
import zlib
from datetime import datetime
from typing import Final

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_END_64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR_64 = struct.Struct("<IIQI")
_SIZES_FOLLOW, _NAMES_ARE_UTF8, _DEFLATED = 1 << 3, 1 << 11, 8
_FLAGS: Final = _SIZES_FOLLOW | _NAMES_ARE_UTF8
_VERSION, _VERSION_64, _MADE_ON_UNIX = 20, 45, 3 << 8
_PLAIN_FILE: Final = 0o100644 << 16
_FULL, _FULL_COUNT = 0xFFFFFFFF, 0xFFFF
"""Written where a number is too large for its field. The number is written elsewhere."""


class _File:
    """The file that is being written."""

    def __init__(self, name: str, start: int, *, may_be_huge: bool) -> None:
        self.name = name.encode()
        self.start = start
        self.may_be_huge = may_be_huge
        self.crc = self.size = self.packed = 0
        self.deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)


class Zip:
    """Files are written one after the other. `write` and `close` return what is ready to be sent."""

    def __init__(self, made_at: datetime) -> None:
        # A zip has no time before 1980.
        year, month, day, hour, minute, second = max(made_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
        self._date = (year - 1980) << 9 | month << 5 | day
        self._time = hour << 11 | minute << 5 | second // 2
        self._file: _File | None = None
        self._list = bytearray()
        self._count = 0
        self._sent = 0
        self._ready = bytearray()

    def begin(self, name: str, *, may_be_huge: bool = False) -> None:
        """`may_be_huge`: the file may have more than 4 GiB."""
        self.end()
        file = self._file = _File(name, self._place, may_be_huge=may_be_huge)
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if may_be_huge else b""
        size = _FULL if may_be_huge else 0
        version = _VERSION_64 if may_be_huge else _VERSION
        about = (version, _FLAGS, _DEFLATED, self._time, self._date, 0, size, size)
        self._ready += _LOCAL.pack(0x04034B50, *about, len(file.name), len(extra)) + file.name + extra

    def write(self, data: bytes) -> bytes:
        if self._file is None:
            raise ValueError("begin a file first")
        self._file.crc = zlib.crc32(data, self._file.crc)
        self._file.size += len(data)
        self._pack(self._file, self._file.deflate.compress(data))
        return self._take()

    def end(self) -> None:
        if (file := self._file) is None:
            return
        self._pack(file, file.deflate.flush())
        sizes = "<IIQQ" if file.may_be_huge else "<IIII"
        self._ready += struct.pack(sizes, 0x08074B50, file.crc, file.packed, file.size)
        self._list += _entry(file, self._time, self._date)
        self._count += 1
        self._file = None

    def close(self) -> bytes:
        """Returns the end of the zip, without which it cannot be read."""
        self.end()
        start, size, count = self._place, len(self._list), self._count
        self._ready += self._list
        self._list.clear()
        if count >= _FULL_COUNT or start + size >= _FULL:
            versions = (_MADE_ON_UNIX | _VERSION_64, _VERSION_64)
            self._ready += _END_64.pack(0x06064B50, 44, *versions, 0, 0, count, count, size, start)
            self._ready += _LOCATOR_64.pack(0x07064B50, 0, start + size, 1)
        counts = min(count, _FULL_COUNT)
        places = (min(size, _FULL), min(start, _FULL))
        self._ready += _END.pack(0x06054B50, 0, 0, counts, counts, *places, 0)
        return self._take()

    def _pack(self, file: _File, data: bytes) -> None:
        file.packed += len(data)
        self._ready += data

    @property
    def _place(self) -> int:
        """How many bytes come before the next one."""
        return self._sent + len(self._ready)

    def _take(self) -> bytes:
        data = bytes(self._ready)
        self._sent += len(data)
        self._ready.clear()
        return data


def _entry(file: _File, time: int, date: int) -> bytes:
    """The file's entry in the list at the end."""
    numbers = (file.size, file.packed, file.start)
    large = [number for number in numbers if number >= _FULL]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, packed, start = (min(number, _FULL) for number in numbers)
    version = _VERSION_64 if large or file.may_be_huge else _VERSION
    about = (_MADE_ON_UNIX | _VERSION_64, version, _FLAGS, _DEFLATED, time, date, file.crc, packed, size)
    lengths = (len(file.name), len(extra), 0, 0, 0)
    return _CENTRAL.pack(0x02014B50, *about, *lengths, _PLAIN_FILE, start) + file.name + extra
