"""What SQLite does not say about a -wal file: whether it threw away commits that were synced.

SQLite believes a WAL up to the first frame whose checksum fails and takes the rest for the tail a
crash tore. But here a transaction begins only after the one before it was synced, and the WAL of a
live segment is never reset. So when the frames SQLite left out belong to more than one transaction,
all but the last of those were durable, and what stopped SQLite was damage. Two signs prove it: a
commit frame followed by another frame, and a page written twice (no transaction of ours writes a
page twice; see disk.connect).

The format: https://www.sqlite.org/fileformat2.html section 4.
"""

import os
import struct
from typing import Final

from watchword._engine import write_zeros

__all__ = [
    "HEADER_BYTES", "SETTLE_BYTES", "cut", "lost_commit", "settle", "settle_ahead", "wal_bytes",
    "write_ahead",
]  # fmt: skip

_HEADER: Final = struct.Struct(">8I")  # magic, format, page size, count, salts, checksums
_FRAME: Final = struct.Struct(">6I")  # page, size after commit or 0, salts, checksums
_FORMAT: Final = 3007000
_MAGIC: Final = 0x377F0682  # the lowest bit says: checksums over big-endian words
HEADER_BYTES: Final = _HEADER.size
SETTLE_BYTES: Final = 4 << 20


def lost_commit(path: str, frames: int) -> bool:
    """Whether the -wal at `path` holds a synced commit beyond the `frames` SQLite believes."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        size = os.fstat(file).st_size
        if size <= HEADER_BYTES:
            return False  # the header is synced before the first frame is written
        head = os.pread(file, _HEADER.size, 0)
        if not _header_holds(head):
            return True
        _magic, _format, page_bytes, _count, salt1, salt2, _sum1, _sum2 = _HEADER.unpack(head)
        step = _FRAME.size + page_bytes
        committed, seen = False, set()
        for at in range(_HEADER.size + frames * step, size - _FRAME.size + 1, step):
            page, after, one, two, _, _ = _FRAME.unpack(os.pread(file, _FRAME.size, at))
            # One salt is enough for a frame to bear witness, so that damage to the other hides
            # nothing (a hole that was never written has neither); to accuse it takes both. SQLite
            # counts its first salt from 1 wherever it finds no frame, so the frames of a -wal that
            # was emptied, if not durably, may share it with a head that came after them.
            if page == 0 or (one != salt1 and two != salt2):
                continue
            if (one, two) == (salt1, salt2) and (committed or page in seen):
                return True
            committed |= after != 0
            seen.add(page)
        return False
    finally:
        os.close(file)


def wal_bytes(path: str, frames: int) -> int:
    """How long the -wal is up to and with `frames` frames."""
    with open(path, "rb") as file:
        head = file.read(_HEADER.size)
    return _HEADER.size + frames * (_FRAME.size + int(_HEADER.unpack(head)[2]))


def write_ahead(
    path: str, at: int, size: int, bytes_per_s: int, seconds: float, stop: bytearray
) -> int:
    """Zeros where nothing was written yet: no frame, to SQLite and to `lost_commit`. How many.

    A commit that then comes there changes neither the file's length nor where its blocks lie, so
    that its sync carries data alone, once all of it is durable (`settle_ahead`). They have to be
    written: room that a file system has only promised it notes down with the first write.
    """
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return write_zeros(file, at, size, bytes_per_s, seconds, stop)
    finally:
        os.close(file)


def settle_ahead(path: str) -> None:
    """Has the file's length and the places of its blocks noted down, once for all of them: a sync
    for every few would be as many of the file system's own, and commits wait for those."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(file)
    finally:
        os.close(file)


def cut(path: str, size: int) -> None:
    """Gives back what was written ahead and not used."""
    if not os.path.exists(path):
        return  # which is for whoever opens it to judge
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        if os.fstat(file).st_size > size:
            os.ftruncate(file, size)
    finally:
        os.close(file)


def settle(path: str, size: int) -> None:
    """Makes sure that the disk has what the page cache showed, before anything is built on it.

    After a failed sync, file systems mark pages clean that never arrived; after a kill the last
    commit may be written and not synced. So the tail is written once more as it is, and synced.
    """
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        at = max(0, size - SETTLE_BYTES)
        tail = os.pread(file, size - at, at)
        done = 0
        while done < len(tail):
            done += os.pwrite(file, tail[done:], at + done)
        os.fsync(file)
    finally:
        os.close(file)


def _header_holds(head: bytes) -> bool:
    magic, version, page_bytes, _count, _salt1, _salt2, sum1, sum2 = _HEADER.unpack(head)
    if magic & ~1 != _MAGIC or version != _FORMAT:
        return False
    if page_bytes < 512 or page_bytes > 65536 or page_bytes & (page_bytes - 1):
        return False
    words = struct.unpack((">" if magic & 1 else "<") + "6I", head[:24])
    one = two = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return (one, two) == (sum1, sum2)
