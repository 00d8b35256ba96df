"""A copy of a store while it works: pages.db by SQLite's own backup, the journal row by row.

The order is the write-ahead rule: first the pages, as one moment between two of their transactions
left them, then every row that is durable by then. So no page of the copy is from beyond its
journal. The copy is made under another name, synced and renamed, so that there is a whole one or
none. It holds no -wal, and no key of the operator's; it is marked, so that nobody opens it as the
store it was: that store went on, and what it accepted since would be accepted again.
"""

import contextlib
import os
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import apsw

from watchword.errors import Error, Exists, NotFound, StoreDamaged, StoreFailed
from watchword.store.disk import (
    believing,
    connect,
    create_private,
    fold_wal,
    sync_directory,
)
from watchword.store.history import Slice, next_slice
from watchword.store.link import PACKED, Link
from watchword.store.owner import DATABASE, JOURNAL
from watchword.store.sealing import TAG_BYTES
from watchword.store.segment import Header, Row, Tip, make_tables, segment_name

if TYPE_CHECKING:
    from watchword.store.catalog import Catalog
    from watchword.store.journal import Journal

__all__ = ["MADE_AT", "Backup", "Copy", "Progress", "copy_store", "stage"]

STEP_PAGES: Final = 64           # of pages.db: 1 MB, for which its writer may have to wait
SLICE_BYTES: Final = 128 << 10   # of rows: for which a commit may have to wait, a millisecond
SYNC_BYTES: Final = 4 << 20      # written and not synced, at most: a stream would stall commits
MADE_AT: Final = struct.Struct(">Qq")  # the note of a backup: its last turn, and that row's time

Progress = Callable[[int, int], object]


class Backup(NamedTuple):
    """A copy that was made: through which turn, that row's time, and how large it is."""

    path: str
    turn: int
    time_ms: int
    segments: int
    bytes: int


def copy_store(
    catalog: "Catalog", journal: "Journal", to: str, pace: float, alive: Callable[[], None],
    progress: Progress | None = None,
) -> Backup:  # fmt: skip
    """Into a directory that is not there, or is empty. pace: rests between two steps, in times of
    what one took; alive raises when the store is closed meanwhile; progress(done, total) counts
    bytes.

    Errors: Exists, NotFound, StoreFailed where either disk refuses, StoreDamaged.
    """
    part = stage(to)
    try:
        return _copied(catalog, journal, part, to, _Steps(pace, alive, progress))
    except BaseException:
        with contextlib.suppress(Error):  # a disk that is full need not stay so
            remove_stage(part)
        raise


def _copied(
    catalog: "Catalog", journal: "Journal", part: str, to: str, steps: "_Steps"
) -> Backup:
    expected = journal.counters()["journal_bytes"]
    with believing(DATABASE):
        _copy_catalog(catalog, os.path.join(part, DATABASE), steps, expected)
    tip = durable(journal)  # every page of the copy is from before it
    links, turn, current = [], journal.anchor.turn, None
    tag = journal.anchor.tag
    try:
        while turn < tip.turn:
            steps.next(0)
            found = next_slice(journal, catalog.keys, turn + 1, SLICE_BYTES)
            if found is None:
                raise StoreDamaged(f"row {turn + 1} of the journal is missing")
            if current is None or current.header.number != found.header.number:
                if current is not None:
                    links.append(current.ended(_time_of(journal, current.header.number, tip)))
                current = Copy(part, found.header)
            current.add(found, tip.turn)
            turn, tag = current.last, current.tag
            steps.next(sum(len(blob) for _, blob in found.rows))
        if current is not None:
            links.append(current.ended(tip.time_ms))
    except BaseException:
        if current is not None:
            current.close()
        raise
    if tag != tip.tag:
        raise StoreDamaged(f"row {turn} of the journal is not the one that was made durable")
    _settle(catalog, os.path.join(part, DATABASE), links, tip)
    return Backup(to, tip.turn, tip.time_ms, len(links), _finish(part, to))


def durable(journal: "Journal") -> Tip:
    """Through which row a copy of the journal that begins now can go."""
    return journal.tip


class _Steps:
    """Rests, and tells how far it has come."""

    def __init__(self, pace: float, alive: Callable[[], None], progress: Progress | None) -> None:
        self._pace, self._alive, self._progress = pace, alive, progress
        self._began = time.monotonic()
        self.done = self.total = 0

    def next(self, size: int) -> None:
        self._alive()
        self.done += size
        self.total = max(self.total, self.done)
        if self._progress is not None and size:
            self._progress(self.done, self.total)
        if size:
            time.sleep(self._pace * (time.monotonic() - self._began))
            self._began = time.monotonic()


class Copy:
    """A segment's rows in a file of their own: sealed as they are, and no -wal beside it."""

    def __init__(self, place: str, header: Header, name: str = "") -> None:
        self.header = header
        self.name = name or segment_name(header.number)
        self.path = os.path.join(place, self.name)
        self.last, self.tag = header.first - 1, b""
        self._size = self._unsynced = 0
        create_private(self.path)
        self._connection = connect(self.path, keep_wal=False)
        with believing(self.name):
            make_tables(self._connection)
            self._connection.execute("INSERT INTO meta VALUES(?)", (header.packed(),))

    def add(self, found: Slice, through: int) -> None:
        """The slice's rows up to `through`, which follow what is there."""
        self.add_rows([row for row in found.rows if row[0] <= through], self.name)

    def add_rows(self, rows: list[Row], name: str) -> None:
        if rows[0][0] != self.last + 1:
            raise StoreDamaged(f"{name}: row {self.last + 1} is missing")
        with believing(self.name), self._connection:
            self._connection.executemany("INSERT INTO j VALUES(?,?)", rows)
        self.last, self.tag = rows[-1][0], bytes(rows[-1][1][-TAG_BYTES:])
        size = sum(len(blob) for _, blob in rows)
        self._size += size
        self._unsynced += size
        if self._unsynced >= SYNC_BYTES:
            with believing(self.name):
                fold_wal(self._connection)
            self._unsynced = 0

    def bring_key(self, key: tuple[int, bytes, bytes]) -> None:
        """The data key of its rows, wrapped."""
        with believing(self.name):
            self._connection.execute("CREATE TABLE key(id INTEGER, nonce BLOB, wrapped BLOB)")
            self._connection.execute("INSERT INTO key VALUES(?,?,?)", key)

    def ended(self, time_ms: int) -> Link:
        """Closes the file, durable; what a catalog knows of it."""
        with believing(self.name):
            fold_wal(self._connection)
            self._connection.close()
        h = self.header
        return Link(
            h.number, PACKED, h.first, self.last, self.tag, h.key_id, time_ms, self._size
        )

    def close(self) -> None:
        self._connection.close()


def stage(to: str) -> str:
    """The directory under which `to` is made until it is whole; leftovers of ours are removed.

    Errors: Exists where something is in the way, NotFound.
    """
    try:
        if os.listdir(to):
            raise Exists(f"{to} is not empty", hint="name a directory that is not there yet")
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise Exists(f"{to} is a file", hint="name a directory that is not there yet") from None
    part = f"{to}.part"
    if os.path.isdir(part):
        remove_stage(part)
    try:
        os.mkdir(part, 0o700)
    except FileNotFoundError:
        raise NotFound(f"there is no directory to make {to} in") from None
    except OSError as error:
        raise StoreFailed(f"{to} cannot be made: {error.strerror}") from error
    os.mkdir(os.path.join(part, JOURNAL), 0o700)
    return part


def remove_stage(part: str) -> None:
    """What an earlier attempt left; anything else in it is somebody's, and stops us."""
    journal = os.path.join(part, JOURNAL)
    try:
        for name in os.listdir(journal) if os.path.isdir(journal) else ():
            os.unlink(os.path.join(journal, name))
        if os.path.isdir(journal):
            os.rmdir(journal)
        for name in os.listdir(part):
            if name.startswith(DATABASE) or name == "owner.lock":
                os.unlink(os.path.join(part, name))
        os.rmdir(part)
    except OSError as error:
        raise Exists(f"{part} is in the way: {error.strerror}", hint="remove it") from error


def _copy_catalog(catalog: "Catalog", path: str, steps: _Steps, rows_bytes: int) -> None:
    """pages.db as it is at the end of this; its writers wait for a step and no longer."""
    create_private(path)
    copy = apsw.Connection(path)
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        copy.pragma("synchronous", 0)  # what counts is the sync below, and before the rename
        copy.pragma("cache_size", -(SYNC_BYTES >> 10))
        with catalog.lock:  # the connection is nobody else's while it is held
            page_bytes = int(catalog.connection.pragma("page_size"))
            backup = copy.backup("main", catalog.connection, "main")
        try:
            since, done = 0, False
            while not done:
                with catalog.lock:
                    steps.next(0)
                    backup.step(STEP_PAGES)
                    done, pages = backup.done, backup.page_count
                steps.total = pages * page_bytes + rows_bytes
                since += STEP_PAGES * page_bytes
                if since >= SYNC_BYTES:
                    os.fdatasync(file)
                    since = 0
                steps.next(STEP_PAGES * page_bytes)
        finally:
            with catalog.lock:
                backup.finish()
    finally:
        copy.close()
        os.close(file)


def _settle(catalog: "Catalog", path: str, links: list[Link], tip: Tip) -> None:
    """The copied catalog knows the copied journal, and that it is a backup."""
    with believing(DATABASE):
        copy = connect(path, keep_wal=False)
        try:
            with copy:
                copy.execute("DELETE FROM segment")
                copy.executemany("INSERT INTO segment VALUES(?,?,?)", map(catalog.sealed, links))
                for name, body in (
                    ("head", catalog.head_body(tip.turn, tip.tag)),
                    ("backup", MADE_AT.pack(tip.turn, tip.time_ms)),
                ):
                    copy.execute(
                        "INSERT OR REPLACE INTO note VALUES(?,?,?)",
                        (name, body, catalog.keys.mac(name, body)),
                    )
            fold_wal(copy)
        finally:
            copy.close()


def _time_of(journal: "Journal", number: int, tip: Tip) -> int:
    """The time of an ended segment's last row."""
    found = [link.time_ms for link in list(journal.links) if link.number == number]
    return found[0] if found else tip.time_ms


def _finish(part: str, to: str) -> int:
    """Everything synced, then its name. Returns its bytes."""
    size = 0
    for folder in (part, os.path.join(part, JOURNAL)):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(file)
                    size += os.fstat(file).st_size
                finally:
                    os.close(file)
        sync_directory(folder)
    rename(part, to)
    return size


def rename(part: str, to: str) -> None:
    """A whole directory takes its name, which nothing or an empty one has."""
    try:
        os.rename(part, to)
    except OSError as error:
        raise StoreFailed(f"{to} cannot take its name: {error.strerror}") from error
    sync_directory(os.path.dirname(os.path.abspath(to)))
