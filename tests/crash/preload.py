"""tests/faults.c from Python: built, preloaded, and its recording read as events.

A library can only stand before libc from a process's start, so whoever records starts itself again
with LD_PRELOAD (`preloaded`).
"""

import ctypes
import enum
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Event", "Kind", "Recorder", "build", "is_preloaded", "preloaded"]

SOURCE = Path(__file__).parents[1] / "faults.c"
ROOT = SOURCE.parents[1]
HEAD = struct.Struct("=IIQqQ")


class Kind(enum.IntEnum):
    """As in faults.c."""

    WRITE = 1
    TRUNCATE = 2
    SYNC = 3
    CREATE = 4
    MKDIR = 5
    RENAME = 6
    UNLINK = 7
    MARK = 8


class Event(NamedTuple):
    """One call that succeeded, or a mark. `path`: of names and directories alone."""

    kind: Kind
    path: str
    inode: int
    offset: int
    written: bytes


def build(folder: Path) -> Path:
    """The library, compiled into a folder."""
    library = folder / "faults.so"
    command = ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", library, SOURCE, "-ldl", "-pthread"], check=True)
    return library


def is_preloaded() -> bool:
    return os.path.basename(os.environ.get("LD_PRELOAD", "")) == "faults.so"


def preloaded(library: Path, *words: object, timeout: float | None = None,
              quiet: bool = False) -> "subprocess.CompletedProcess[str]":
    """`python -m tests.crash` with the library in front of libc; its output, when `quiet`."""
    paths = [str(ROOT), *filter(None, sys.path)]
    return subprocess.run(
        [sys.executable, "-m", "tests.crash", *map(str, words)],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=quiet, text=True, check=False, cwd=ROOT, timeout=timeout,
    )


class Recorder:
    """The preloaded library's memory of what happened below one directory."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._library.record_start.argtypes = [ctypes.c_char_p]
        self._library.record_mark.argtypes = [ctypes.c_int64]
        self._library.record_stop.argtypes = [ctypes.POINTER(ctypes.c_void_p)]
        self._library.record_stop.restype = ctypes.c_size_t

    def start(self, path: str) -> None:
        self._library.record_start(path.encode())

    def mark(self, number: int) -> None:
        """Stands between the calls before it and those after it."""
        self._library.record_mark(number)

    def stop(self) -> Sequence[Event]:
        at = ctypes.c_void_p()
        size = self._library.record_stop(ctypes.byref(at))
        return list(_events(ctypes.string_at(at, size) if size else b""))


def _events(log: bytes) -> Iterator[Event]:
    at = 0
    while at < len(log):
        kind, path_len, inode, offset, length = HEAD.unpack_from(log, at)
        start = at + HEAD.size
        middle = start + path_len
        at = middle + length
        path = log[start:middle].decode().removesuffix(" (deleted)")
        yield Event(Kind(kind), path, inode, offset, log[middle:at])
