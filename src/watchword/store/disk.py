"""Files, directories and SQLite connections, opened in the one way this store trusts.

The rules: everything is private from its first moment; a directory is synced after a name in it
was made or removed; a connection is exclusive, syncs at every commit, never checkpoints by itself
and is the only one its file has; an error of SQLite becomes one of ours, with the file's name.
"""

import contextlib
import os
import struct
import urllib.parse
from collections.abc import Iterator
from typing import Final

import apsw
from cryptography.exceptions import InvalidTag

from watchword.errors import Error, StoreDamaged, StoreFailed

__all__ = [
    "SQLITE_VERSION_MIN",
    "believing",
    "connect",
    "connect_to_look",
    "create_private",
    "expect_database",
    "expect_library",
    "fold_wal",
    "room",
    "sync_directory",
    "unlink",
    "wal_frames",
]

SQLITE_VERSION_MIN: Final = (3, 51, 3)  # older ones can lose a commit after a checkpoint
_BUSY_IS_DISK: Final = (
    apsw.IOError,
    apsw.FullError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.BusyError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
)


def expect_library(version: str) -> None:
    """Refuses a SQLite that is known to lose commits (the WAL-reset bug)."""
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        raise Error(
            f"SQLite {version} is older than {wanted} and can lose commits",
            hint="install a newer apsw, which brings its own SQLite",
        )


def sync_directory(path: str) -> None:
    """Makes names that were made or removed in a directory durable."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def room(path: str) -> tuple[int, int]:
    """Of the disk that holds `path`: the bytes it has left for us, and all it has."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def create_private(path: str) -> None:
    """An empty file of mode 0600 that was not there. SQLite gives its side files the same mode."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(file, 0o600)
    finally:
        os.close(file)


def unlink(path: str) -> None:
    """Removes a database and its side files, the database last: a leftover is recognised by it."""
    for name in (path + "-shm", path + "-journal", path + "-wal", path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def connect(path: str, *, keep_wal: bool) -> apsw.Connection:
    """The one connection to a database file that exists. `keep_wal`: closing leaves the -wal alone.

    psow=1 keeps SQLite from padding commits with copies of frames, and cache_spill from writing
    frames before the commit: wal.py relies on both.
    """
    quoted = urllib.parse.quote(os.path.abspath(path))
    connection = apsw.Connection(
        f"file:{quoted}?psow=1", flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    )
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep_wal))
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        # Exclusive before anything is read: then the WAL's index is private memory, no shared file.
        connection.pragma("locking_mode", "exclusive")
        connection.pragma("cell_size_check", 1)
        connection.pragma("synchronous", "full")
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("cache_spill", 0)
    except BaseException:
        connection.close()  # or it keeps its lock for as long as somebody keeps the error
        raise
    return connection


def connect_to_look(path: str) -> apsw.Connection:
    """A connection through which nothing is written: without a -wal not even one of its own."""
    if os.path.exists(path + "-wal"):
        return connect(path, keep_wal=True)  # SQLite recovers into memory and leaves the -wal alone
    quoted = urllib.parse.quote(os.path.abspath(path))
    connection = apsw.Connection(
        f"file:{quoted}?mode=ro&immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.pragma("cell_size_check", 1)
    return connection


def wal_frames(connection: apsw.Connection, *, waiting: bool = False) -> int:
    """Frames of the -wal that SQLite believes: up to the last commit it could verify.

    `waiting`: only those that are not in the database yet.
    """
    ((busy, frames, moved),) = list(connection.execute("PRAGMA wal_checkpoint(NOOP)"))
    if busy:
        raise apsw.BusyError("the file is in use")
    return max(0, int(frames) - int(moved) if waiting else int(frames))


def expect_database(path: str, name: str) -> None:
    """Looks at a database's first bytes before SQLite does, which throws away the -wal of an
    empty file and takes a header without the WAL mark at its word.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        raise StoreDamaged(f"{name} is missing") from None
    if len(head) < 100 or head[:16] != b"SQLite format 3\0" or head[18:20] != b"\2\2":
        raise StoreDamaged(f"{name} is not the database it was: its header is damaged")


def fold_wal(connection: apsw.Connection, *, empty: bool = True) -> None:
    """Moves everything from the -wal into the database, durably; `empty`: to zero bytes.

    Without `empty` the file keeps its length and is written over from its start.
    """
    how = "TRUNCATE" if empty else "PASSIVE"
    ((busy, _frames, _moved),) = list(connection.execute(f"PRAGMA wal_checkpoint({how})"))
    if busy:
        raise apsw.BusyError("the file is in use")


@contextlib.contextmanager
def believing(name: str) -> Iterator[None]:
    """Reading: what the disk refuses is StoreFailed, what cannot be so is StoreDamaged."""
    try:
        yield
    except Error:
        raise
    except (OSError, *_BUSY_IS_DISK) as error:
        raise StoreFailed(f"{name}: the disk refused: {error}") from error
    except InvalidTag as error:
        raise StoreDamaged(f"{name} is damaged: a seal does not hold") from error
    except (apsw.Error, UnicodeError, struct.error, TypeError, ValueError, OverflowError) as error:
        # A damaged database shows itself as a malformed schema, a missing table, a text where a
        # number was: whatever SQLite or Python says first.
        raise StoreDamaged(f"{name} is damaged: {error}") from error
