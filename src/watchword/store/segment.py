"""One journal file: rows sealed and chained by their GCM tags, written once, read at recovery.

A row's nonce is its place in the segment; its associated data is the tag of the row before, and
for the first row the segment's header, which holds the tag of the last row of the segment before.
So a row that is altered, missing, moved or from elsewhere breaks the chain where it stands. The
header, key and salt are chosen when the first row comes and written with it in one transaction: a
file made ahead is not bound to anything yet, and a file with a header holds a row.

A live segment's rows are in its -wal, which is never reset; wal.py relies on that.
"""

import os
import secrets
import struct
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

import apsw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.errors import StoreDamaged
from watchword.store import wal
from watchword.store.disk import (
    believing,
    connect,
    connect_to_look,
    create_private,
    expect_database,
    sync_directory,
    wal_frames,
)
from watchword.store.row import row_time_ms
from watchword.store.sealing import NONCE_BYTES, TAG_BYTES, Keyring

__all__ = [
    "PAGE_BYTES", "Header", "Reader", "Segment", "Tip", "make_tables", "open_rows", "segment_name",
    "slice_of",
]  # fmt: skip

FORMAT: Final = 1  # of a segment file
PAGE_BYTES: Final = 4096
SALT_BYTES: Final = 32
_MAGIC: Final = b"WWSG"
_HEADER: Final = struct.Struct(">4sH16sQQQ16sI32s")
_TABLES: Final = """
CREATE TABLE meta(b BLOB NOT NULL);
CREATE TABLE j(seq INTEGER PRIMARY KEY, b BLOB NOT NULL);
"""
_INSERT: Final = "INSERT INTO j VALUES(?,?)"

Row = tuple[int, bytes | bytearray | memoryview]


class Tip(NamedTuple):
    """The last durable row: what the next one follows."""

    turn: int
    tag: bytes
    time_ms: int


class Header(NamedTuple):
    """What a segment is bound to. Its bytes are the first row's associated data."""

    magic: bytes
    version: int
    store_id: bytes
    incarnation: int
    number: int
    first: int
    previous_tag: bytes
    key_id: int
    salt: bytes

    def packed(self) -> bytes:
        return _HEADER.pack(*self)


def segment_name(number: int) -> str:
    """The file's name below the store's directory."""
    return f"journal/{number:08d}.db"


def make_tables(connection: apsw.Connection) -> None:
    """What a segment's empty file needs, in one transaction."""
    connection.pragma("page_size", PAGE_BYTES)
    connection.pragma("journal_mode", "wal")
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    list(cursor.execute(_TABLES))
    cursor.execute("COMMIT")


class Segment:
    """A segment that is being written, by the one connection its file ever has."""

    def __init__(self, store_path: str, number: int) -> None:
        """Makes the file, durably, name and all. Nothing may be in its place."""
        self.number = number
        self.name = segment_name(number)
        self.path = os.path.join(store_path, self.name)
        self.lock = threading.Lock()  # of the connection: whoever reads rows, and who writes them
        self.closed = False
        self.header: Header | None = None
        self.last = 0
        self.sealed_bytes = 0  # of rows, seals included
        self.ahead = 0  # bytes of the -wal that were written ahead: none, or all that it may take
        self._filled = 0  # on the way to that
        self._stop = bytearray(1)  # not 0: its first row has come
        self._frames = 0
        create_private(self.path)
        self.connection = connect(self.path, keep_wal=True)
        self._cursor = self.connection.cursor()
        try:
            self._make_tables()
            sync_directory(os.path.dirname(self.path))
        except BaseException:
            self.connection.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the -wal."""
        return 32 + self._frames * (24 + PAGE_BYTES)

    def append(self, keys: Keyring, tip: Tip, rows: Sequence[Row]) -> Tip:
        """Makes rows durable after `tip` and returns the new tip."""
        fresh = self.header is None
        if fresh:
            self._begin(keys, tip)
        assert self.header is not None
        first, seal = self.header.first, self._cipher.encrypt
        before = self.header.packed() if fresh else tip.tag
        sealed = []
        for turn, row in rows:
            blob = seal((turn - first).to_bytes(NONCE_BYTES), row, before)
            before = blob[-TAG_BYTES:]
            sealed.append((turn, blob))
            self.sealed_bytes += len(blob)
        execute = self._cursor.execute
        self._stop[0] = 1
        with self.lock:
            if len(sealed) == 1 and not fresh:
                execute(_INSERT, sealed[0])
            else:
                execute("BEGIN")
                if fresh:
                    execute("INSERT INTO meta VALUES(?)", (self.header.packed(),))
                self._cursor.executemany(_INSERT, sealed)
                execute("COMMIT")
            self.last = turn
        return Tip(turn, before, row_time_ms(row))

    def write_ahead(self, size: int, bytes_per_s: int, seconds: float) -> bool:
        """Goes on filling the -wal of a segment that has no row yet with zeros, up to `size` bytes,
        for so long at most. Whether there is more to do."""
        with self.lock:  # its first commit waits for a piece, no other does
            if self.closed or self.header is not None or self.ahead >= size:
                return False
            at = self._filled = max(self._filled, self.size)
            if at < size:
                self._filled += wal.write_ahead(
                    self.path + "-wal", at, size - at, bytes_per_s, seconds, self._stop
                )
            if self._filled < size:
                return True
        wal.settle_ahead(self.path + "-wal")
        self.ahead = size
        return False

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.connection.close()

    def _make_tables(self) -> None:
        self.connection.set_wal_hook(self._note_frames)
        make_tables(self.connection)

    def _begin(self, keys: Keyring, tip: Tip) -> None:
        salt, key_id = secrets.token_bytes(SALT_BYTES), keys.newest
        self.header = Header(
            _MAGIC,
            FORMAT,
            keys.store_id,
            keys.incarnation,
            self.number,
            tip.turn + 1,
            tip.tag,
            key_id,
            salt,
        )
        self._cipher = keys.segment_cipher(key_id, self.number, salt, segment_name(self.number))

    def _note_frames(self, _connection: apsw.Connection, _name: str, frames: int) -> int:
        self._frames = frames
        return apsw.SQLITE_OK


class Reader:
    """A segment of an earlier life, opened to be read.

    `packed`: its -wal may be gone. `noted`: it was made to the end. `look`: nothing is written.
    """

    def __init__(
        self, store_path: str, number: int, *, packed: bool = False, noted: bool = True,
        look: bool = False,
    ) -> None:  # fmt: skip
        self.number = number
        self.header: Header | None = None
        self.last = self.sealed_bytes = self.size = 0
        self.name = segment_name(number)
        self.path = os.path.join(store_path, self.name)
        with believing(self.name):
            expect_database(self.path, self.name)
            if not packed and not os.path.exists(self.path + "-wal"):
                raise StoreDamaged(f"{self.name}-wal is missing, which holds the segment's rows")
            opened = connect_to_look(self.path) if look else connect(self.path, keep_wal=True)
            self.connection = opened
        try:
            with believing(self.name):
                self._recover(noted)
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def _recover(self, noted: bool) -> None:
        tables = {row[0] for row in self.connection.execute("SELECT name FROM sqlite_schema")}
        frames = wal_frames(self.connection)
        lost = wal.lost_commit(self.path + "-wal", frames)
        if {"j", "meta"} <= tables:
            self.header = self._read_header()
            found = self.connection.execute("SELECT max(seq), sum(length(b)) FROM j").get
            self.last, self.sealed_bytes = (int(value or 0) for value in found)
        elif noted or lost:
            raise StoreDamaged(f"{self.name} is damaged before the segment's first row")
        if lost:
            raise StoreDamaged(
                f"{self.name}-wal is damaged after row {self.last}: "
                "rows that were made durable cannot be read"
            )
        if self.header is not None and self.last < self.header.first:
            raise StoreDamaged(f"{self.name}: row {self.header.first} is missing")
        self.size = wal.wal_bytes(self.path + "-wal", frames) if frames else 0

    def _read_header(self) -> Header | None:
        found = list(self.connection.execute("SELECT b FROM meta"))
        if not found:
            return None
        header = Header._make(_HEADER.unpack(found[0][0]))
        if len(found) > 1 or header.magic != _MAGIC or header.version != FORMAT:
            raise StoreDamaged(f"{self.name}: the segment's header is damaged")
        return header

    def expect(self, keys: Keyring, previous: Tip) -> Header:
        """The header, which must follow `previous` in this store. Raises StoreDamaged."""
        header = self.header
        if header is None:
            raise StoreDamaged(f"{self.name}: the segment's header is missing")
        if (header.store_id, header.incarnation) != (keys.store_id, keys.life_of(header.first)):
            raise StoreDamaged(f"{self.name} belongs to another store, or to a copy of this one")
        if header.number != self.number:
            raise StoreDamaged(f"{self.name} is in truth segment {header.number}")
        if header.first != previous.turn + 1:
            raise StoreDamaged(
                f"{self.name} begins with row {header.first}: "
                f"row {previous.turn + 1} should follow row {previous.turn}"
            )
        if header.previous_tag != previous.tag:
            raise StoreDamaged(
                f"{self.name}: row {header.first} does not follow the row {previous.turn} "
                "that the journal holds"
            )
        return header

    def tag_of(self, turn: int) -> bytes:
        """The tag of one row, not verified; empty without such a row."""
        with believing(self.name):
            found = list(self.connection.execute("SELECT b FROM j WHERE seq=?", (turn,)))
            return bytes(found[0][0][-TAG_BYTES:]) if found else b""

    def rows(self, keys: Keyring, start: int) -> Iterator[tuple[int, memoryview, bytes]]:
        """Turn, plain row and tag from row `start`, verified one after the other."""
        header = self.header
        assert header is not None
        cipher = keys.segment_cipher(header.key_id, self.number, header.salt, self.name)
        before = header.packed() if start == header.first else self.tag_of(start - 1)
        return open_rows(self.connection, self.name, cipher, header.first, start, before)


def slice_of(
    connection: apsw.Connection, name: str, header: Header, start: int, most_bytes: int
) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Sealed rows from `start`, at least one and about `most_bytes`; before them, what the first is
    chained to. Raises StoreDamaged when one is missing."""
    before, expected, size = header.packed(), max(header.first, start - 1), 0
    rows: list[tuple[int, bytes]] = []
    with believing(name):
        for turn, blob in connection.execute(
            "SELECT seq, b FROM j WHERE seq >= ? ORDER BY seq", (expected,)
        ):
            if turn != expected:
                raise StoreDamaged(f"{name}: row {expected} is missing")
            expected += 1
            if turn < start:
                before = blob[-TAG_BYTES:]
                continue
            rows.append((turn, blob))
            size += len(blob)
            if size >= most_bytes:
                break
        if not rows:
            raise StoreDamaged(f"{name}: row {start} is missing")
    return before, rows


def open_rows(
    connection: apsw.Connection, name: str, cipher: AESGCM, first: int, start: int, before: bytes
) -> Iterator[tuple[int, memoryview, bytes]]:
    """The verified rows of a segment's table from `start`; `before` is what seals that row."""
    expected, buffer = start, bytearray()
    try:
        with believing(name):
            for turn, blob in connection.execute(
                "SELECT seq, b FROM j WHERE seq >= ? ORDER BY seq", (start,)
            ):
                if turn != expected:
                    raise StoreDamaged(f"{name}: row {expected} is missing")
                size = len(blob) - TAG_BYTES
                if size > len(buffer):
                    buffer[:] = bytes(len(buffer))
                    buffer = bytearray(size)
                plain = memoryview(buffer)[: max(0, size)]
                try:
                    cipher.decrypt_into((turn - first).to_bytes(NONCE_BYTES), blob, before, plain)
                except InvalidTag:
                    raise StoreDamaged(
                        f"{name}: row {turn} was altered, or is not in its place"
                    ) from None
                before = blob[-TAG_BYTES:]
                yield turn, plain, before
                expected += 1
    finally:
        buffer[:] = bytes(len(buffer))
