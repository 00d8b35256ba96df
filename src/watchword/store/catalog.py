"""pages.db but for its pages: whose store this is, its keys, and which journal segments exist.

Every fact here carries a MAC (`note`, `segment`) or a seal (`key`), so that an altered one is
named, not believed. All changes go through `change`, one synced transaction each; one lock lets
the commit thread in when it must make a segment itself.

    note      store (format, id, incarnation), check (is the master key right), head (a row known
              to be durable), anchor (the last row that was dropped), pages (see pages.py); of a
              store that was restored lives (which incarnation began with which turn), of a
              backup backup (when it was made)
    key       id 0 the store's secret, then the data keys, wrapped
    segment   number -> what is known of the file; a segment not in here holds no rows
"""

import contextlib
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from typing import Final

import apsw
from cryptography.exceptions import InvalidTag

from watchword.errors import InvalidArgument, StoreDamaged, StoreFailed, WrongKey
from watchword.keys import KeyProvider
from watchword.store import wal
from watchword.store.disk import (
    believing,
    connect,
    connect_to_look,
    create_private,
    expect_database,
    fold_wal,
    sync_directory,
    unlink,
    wal_frames,
)
from watchword.store.link import Anchor, Link
from watchword.store.owner import DATABASE, UNFINISHED
from watchword.store.sealing import SECRET_ID, Keyring
from watchword.store.seam import TABLES

__all__ = ["FORMAT", "Catalog", "format_of"]

FORMAT: Final = 4  # of the store as a whole: tables, pages, records, seals, segment files
FORMAT_OLDEST: Final = 1  # nothing of it has another meaning in those up to FORMAT
APPLICATION_ID: Final = 0x57574442  # "WWDB": what `file` and SQLite show of the database

PAGE_BYTES: Final = 16384
CHECKPOINT_FRAMES: Final = (512 << 10) // PAGE_BYTES  # a step: on one core commits wait for it

_STORE: Final = struct.Struct(">I16sQ")  # format, store id, incarnation
_HEAD: Final = struct.Struct(">Q16s")  # turn, tag
_LIFE: Final = struct.Struct(">QQ")  # incarnation, its first turn
_TABLES: Final = (
    "CREATE TABLE note(name TEXT PRIMARY KEY, body BLOB NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE key(id INTEGER PRIMARY KEY, nonce BLOB NOT NULL, wrapped BLOB NOT NULL)",
    "CREATE TABLE segment(number INTEGER PRIMARY KEY, body BLOB NOT NULL, mac BLOB NOT NULL)",
    *(
        f"CREATE TABLE {table}(number INTEGER PRIMARY KEY, turn INTEGER NOT NULL,"
        " generation INTEGER NOT NULL, key_id INTEGER NOT NULL, nonce BLOB NOT NULL,"
        " image BLOB NOT NULL)"
        for table in TABLES
    ),
)

class Catalog:
    """The open pages.db. `connection` belongs to whoever holds `change` or is alone."""

    def __init__(
        self, path: str, key: KeyProvider, *, create: bool, backup: bool = False,
        look: bool = False,
    ) -> None:  # fmt: skip
        """backup: one may be opened as well, to make a store of it. look: nothing is written."""
        self.path = os.path.join(path, DATABASE)
        self.keys = Keyring(key.key(create=create))
        self.lock = threading.RLock()  # of the connection
        self._broken = False
        if create:
            _create(path, self.keys)
        with believing(DATABASE):
            expect_database(self.path, DATABASE)
            opened = connect_to_look(self.path) if look else connect(self.path, keep_wal=True)
            self.connection = opened
        try:
            with believing(DATABASE):
                self._open(backup, look)
        except BaseException:
            self.connection.close()
            raise

    def _open(self, backup: bool, look: bool) -> None:
        # Reading anything makes SQLite recover the -wal; only then is there something to judge.
        version = int(self.connection.pragma("user_version"))
        if wal.lost_commit(self.path + "-wal", wal_frames(self.connection)):
            raise StoreDamaged(f"{DATABASE}-wal is damaged: it lost commits that were made durable")
        self._expect_tables()
        self._expect_format(version)
        self._expect_master()
        self._load_keys()
        if self.has_note("backup") and not backup:
            raise InvalidArgument(
                "that is a backup: opened as it is, it would accept what was used since",
                hint="watchword restore makes a store of it",
            )
        if self.has_note("lives"):
            self.keys.lives = list(_LIFE.iter_unpack(self.note("lives")))
        for (text,) in self.connection.execute("PRAGMA quick_check(1)"):
            if text != "ok":
                raise StoreDamaged(f"{DATABASE} is damaged: {text}")
        if look:
            return
        # From here on new frames never stand beside older ones of a torn commit.
        self.checkpoint()
        if version < FORMAT:
            self._raise_format()

    def _expect_tables(self) -> None:
        """No seal covers the names of tables and columns, and each is asked for somewhere."""
        found = {sql for (sql,) in self.connection.execute("SELECT sql FROM sqlite_schema") if sql}
        if found != set(_TABLES):
            raise StoreDamaged(f"{DATABASE} is damaged: its tables are not those that were made")

    def _expect_format(self, version: int) -> None:
        body, _mac = self._stored_note("store")
        written, self.keys.store_id, self.keys.incarnation = _STORE.unpack(body)
        if version != written or self.connection.pragma("application_id") != APPLICATION_ID:
            raise StoreDamaged(f"{DATABASE} is damaged: it contradicts itself about its format")
        if version > FORMAT:
            raise InvalidArgument(
                f"the store has format {version}, this program knows none after {FORMAT}",
                hint="open it with the newer watchword that wrote it",
            )
        if version < FORMAT_OLDEST:
            raise InvalidArgument(
                f"the store has format {version}, this program works with {FORMAT_OLDEST} to "
                f"{FORMAT}",
                hint="run `watchword upgrade` on it first",
            )

    def _raise_format(self) -> None:
        """Before anything is written that an older program would take for damage."""
        with self.change():
            self.set_store()
            self.connection.pragma("user_version", FORMAT)

    def _expect_master(self) -> None:
        """Two facts bear witness to the master key, so that damage to one is not called a wrong
        key.
        """
        holds = {}
        for name in ("check", "store"):
            body, mac = self._stored_note(name)
            holds[name] = self.keys.mac_holds(name, body, mac, of_store=False)
        if not any(holds.values()):
            raise WrongKey(
                "the key does not open this store",
                hint="give the key that the store was made with",
            )
        for name, held in holds.items():
            if not held:
                raise StoreDamaged(f"{DATABASE} is damaged: note {name} was altered")

    def _load_keys(self) -> None:
        secret = b""
        for key_id, nonce, wrapped in self.connection.execute("SELECT * FROM key ORDER BY id"):
            try:
                if key_id == SECRET_ID:
                    secret = self.keys.unwrap(key_id, nonce, wrapped)
                else:
                    self.keys.admit(key_id, nonce, wrapped)
            except InvalidTag:
                raise StoreDamaged(f"{DATABASE} is damaged: key {key_id} was altered") from None
        if not secret or not self.keys.ids:
            raise StoreDamaged(f"{DATABASE} is damaged: keys are missing")
        self.secret = secret

    # ---- changes ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def change(self) -> Iterator[apsw.Cursor]:
        """One transaction, durable when the block ends. Inside another it joins that one."""
        with self.lock:
            cursor = self.connection.cursor()
            if self._broken:
                raise StoreFailed(f"{DATABASE} takes no more changes: one has failed")
            if self.connection.in_transaction:
                yield cursor
                return
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                self._broken = True
                with contextlib.suppress(apsw.Error):
                    cursor.execute("ROLLBACK")
                raise

    def checkpoint(self) -> None:
        """Moves everything from the -wal into the database and empties the -wal."""
        with self.lock:
            fold_wal(self.connection)

    def checkpoint_if_due(self) -> None:
        """The same in small steps, which disturb commits least."""
        with self.lock:
            if wal_frames(self.connection, waiting=True) >= CHECKPOINT_FRAMES:
                fold_wal(self.connection, empty=False)

    def close(self) -> None:
        self.connection.close()

    # ---- notes -----------------------------------------------------------------------------

    def note(self, name: str) -> bytes:
        """A small fact. Raises StoreDamaged when it is missing or was altered."""
        with self.lock:
            body, mac = self._stored_note(name)
        if not self.keys.mac_holds(name, body, mac):
            raise StoreDamaged(f"{DATABASE} is damaged: note {name} was altered")
        return body

    def has_note(self, name: str) -> bool:
        with self.lock:
            return bool(
                list(self.connection.execute("SELECT 1 FROM note WHERE name=?", (name,)))
            )

    def set_note(self, name: str, body: bytes) -> None:
        with self.change() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO note VALUES(?,?,?)", (name, body, self.keys.mac(name, body))
            )

    def note_names(self) -> list[str]:
        """Every note that is bound to the store's incarnation."""
        with self.lock:
            names = [str(name) for (name,) in self.connection.execute("SELECT name FROM note")]
        return [name for name in names if name not in ("check", "store")]

    def set_store(self) -> None:
        """Whose store this is, and in which incarnation."""
        body = _STORE.pack(FORMAT, self.keys.store_id, self.keys.incarnation)
        with self.change() as cursor:
            mac = self.keys.mac("store", body, of_store=False)
            cursor.execute("INSERT OR REPLACE INTO note VALUES(?,?,?)", ("store", body, mac))

    @staticmethod
    def lives_body(lives: list[tuple[int, int]]) -> bytes:
        return b"".join(_LIFE.pack(*life) for life in lives)

    def _stored_note(self, name: str) -> tuple[bytes, bytes]:
        rows = list(self.connection.execute("SELECT body, mac FROM note WHERE name=?", (name,)))
        if not rows:
            raise StoreDamaged(f"{DATABASE} is damaged: note {name} is missing")
        body, mac = rows[0]
        return bytes(body), bytes(mac)

    def head(self) -> tuple[int, bytes]:
        """A row (turn, tag) that was durable when this was noted."""
        turn, tag = _HEAD.unpack(self.note("head"))
        return turn, tag

    def set_head(self, turn: int, tag: bytes) -> None:
        self.set_note("head", self.head_body(turn, tag))

    @staticmethod
    def head_body(turn: int, tag: bytes) -> bytes:
        return _HEAD.pack(turn, tag)

    def anchor(self) -> Anchor:
        return Anchor.unpacked(self.note("anchor"))

    def set_anchor(self, anchor: Anchor) -> None:
        self.set_note("anchor", anchor.packed())

    # ---- segments --------------------------------------------------------------------------

    def links(self) -> list[Link]:
        """Every segment there must be, by number."""
        found = []
        with self.lock:
            rows = list(self.connection.execute("SELECT * FROM segment ORDER BY number"))
        for number, body, mac in rows:
            if not self.keys.mac_holds(f"segment {number}", body, mac):
                raise StoreDamaged(f"{DATABASE} is damaged: segment {number} was altered")
            found.append(Link.unpacked(number, body))
        return found

    def sealed(self, link: Link) -> tuple[int, bytes, bytes]:
        """The row that keeps what is known of a segment."""
        body = link.packed()
        return link.number, body, self.keys.mac(f"segment {link.number}", body)

    def set_link(self, link: Link) -> None:
        with self.change() as cursor:
            cursor.execute("INSERT OR REPLACE INTO segment VALUES(?,?,?)", self.sealed(link))

    def remove_link(self, number: int) -> None:
        with self.change() as cursor:
            cursor.execute("DELETE FROM segment WHERE number=?", (number,))

    # ---- keys ------------------------------------------------------------------------------

    def add_key(self) -> int:
        """A new data key, durable and in use when this returns; its id."""
        key_id = self.keys.newest + 1
        nonce, wrapped = self.keys.make(key_id)
        with self.change() as cursor:
            cursor.execute("INSERT INTO key VALUES(?,?,?)", (key_id, nonce, wrapped))
        self.keys.admit(key_id, nonce, wrapped)
        return key_id

    def adopt_key(self, segment: apsw.Connection, key_id: int) -> None:
        """A data key that a kept segment brings along, where this store lacks it."""
        if key_id in self.keys.ids:
            return
        tables = {name for (name,) in segment.execute("SELECT name FROM sqlite_schema")}
        rows = list(segment.execute("SELECT * FROM key")) if "key" in tables else []
        for found, nonce, wrapped in rows:
            if found == key_id:
                self.keys.admit(found, nonce, wrapped)
                with self.change() as cursor:
                    cursor.execute("INSERT INTO key VALUES(?,?,?)", (found, nonce, wrapped))

    def wrapped_key(self, key_id: int) -> tuple[int, bytes, bytes]:
        """A data key as it is stored: only the master key opens it."""
        with self.lock:
            ((nonce, wrapped),) = list(
                self.connection.execute("SELECT nonce, wrapped FROM key WHERE id=?", (key_id,))
            )
        return key_id, bytes(nonce), bytes(wrapped)

    def remove_keys(self, key_ids: list[int]) -> None:
        """Forgets data keys, on disk too: deleted cells are zeroed, and the -wal starts over."""
        with self.lock:
            self.connection.pragma("secure_delete", 1)
            with self.change() as cursor:
                cursor.executemany("DELETE FROM key WHERE id=?", [(key_id,) for key_id in key_ids])
            self.connection.pragma("secure_delete", 0)
            self.checkpoint()
        for key_id in key_ids:
            self.keys.forget(key_id)


def format_of(path: str) -> int:
    """Of the store, or the backup, in a directory; nothing in it is believed yet."""
    with believing(DATABASE):
        expect_database(os.path.join(path, DATABASE), DATABASE)
        connection = connect_to_look(os.path.join(path, DATABASE))
        try:
            return int(connection.pragma("user_version"))
        finally:
            connection.close()


def _create(path: str, keys: Keyring) -> None:
    """A new pages.db, whole or not at all: made under another name and renamed when durable."""
    part = os.path.join(path, UNFINISHED)
    unlink(part)
    create_private(part)
    keys.store_id, keys.incarnation = secrets.token_bytes(16), 1
    check = secrets.token_bytes(16)
    store = _STORE.pack(FORMAT, keys.store_id, keys.incarnation)
    notes = [
        ("check", check, keys.mac("check", check, of_store=False)),
        ("store", store, keys.mac("store", store, of_store=False)),
    ]
    pages = struct.pack(">IQ", 1, 0) + bytes(len(TABLES) * 40)
    for name, body in (
        ("head", _HEAD.pack(0, bytes(16))),
        ("anchor", Anchor().packed()),
        ("pages", pages),
    ):
        notes.append((name, body, keys.mac(name, body)))
    with believing(UNFINISHED):
        connection = connect(part, keep_wal=False)
        try:
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("journal_mode", "wal")
            with connection:
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", FORMAT)
                list(connection.execute(";".join(_TABLES)))
                connection.executemany("INSERT INTO note VALUES(?,?,?)", notes)
                for key_id in (SECRET_ID, 1):
                    connection.execute(
                        "INSERT INTO key VALUES(?,?,?)", (key_id, *keys.make(key_id))
                    )
            # Closing would do this as well, but not say when it could not.
            fold_wal(connection)
        finally:
            connection.close()
        os.rename(part, os.path.join(path, DATABASE))
        sync_directory(path)
