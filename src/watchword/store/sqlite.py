"""A store in a directory of SQLite files: pages.db, and the journal's segments.

What holds them together is here: the order of opening, the rule that one refusal of the disk ends
the store, and what a key rotation has to touch. After an I/O error SQLite reports that commit and
accepts the next one; trusting it again would lose records. So nothing is tried twice: recovery is
opening the store anew.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import apsw

from watchword.errors import Error, InvalidArgument, StoreDamaged, StoreFailed
from watchword.keys import KeyProvider
from watchword.store.archive import archive_segment, archived
from watchword.store.backup import Backup, Progress, copy_store
from watchword.store.catalog import Catalog
from watchword.store.disk import expect_library
from watchword.store.head import Head, expect_known, signed
from watchword.store.history import close_reader
from watchword.store.journal import Journal
from watchword.store.link import Link
from watchword.store.owner import DATABASE, Owner
from watchword.store.pages import Pages
from watchword.store.proof import Proof, prove_pages, prove_rows
from watchword.store.row import expect_next, expect_written
from watchword.store.seam import Page
from watchword.store.segment import Row

__all__ = ["SEGMENT_BYTES", "SqliteStore"]

SEGMENT_BYTES: Final = 64 << 20
_HINT: Final = "make room or repair the disk, then open the store anew"


class SqliteStore:
    """See `watchword.store.Store`. Opening it takes the directory's lock."""

    def __init__(self, path: str, key: KeyProvider, segment_bytes: int) -> None:
        expect_library(apsw.sqlite_lib_version())
        self._path = path
        self._dead = ""
        self._closed = self._closing = False
        self._copying = threading.Lock()
        with contextlib.ExitStack() as undo:
            self._owner = Owner(path)
            undo.callback(self._owner.release)
            self.created = self._owner.created
            with self._or_fail("be opened"):
                self._catalog = Catalog(path, key, create=self.created)
                undo.callback(self._catalog.close)
                self.secret = self._catalog.secret
                self._pages = Pages(self._catalog)
                self._journal = Journal(path, self._catalog, segment_bytes)
                undo.callback(self._journal.abandon)
                turn, where = self._pages.newest_turn()
                if turn > self.head:
                    raise StoreDamaged(
                        f"{DATABASE}: {where} is from turn {turn}, "
                        f"but the journal ends with row {self.head}"
                    )
            undo.pop_all()

    @property
    def head(self) -> int:
        return self._journal.tip.turn

    @property
    def last_time_ms(self) -> int:
        return self._journal.tip.time_ms

    def pages(self) -> Iterator[Page]:
        return self._pages.read()

    def replay(self, after: int) -> Iterator[tuple[int, memoryview]]:
        return self._journal.replay(after)

    def history(self, after: int, through: int) -> Iterator[tuple[int, memoryview, int]]:
        with self._or_fail("be read"):
            return self._journal.history(after, through)

    def append(self, rows: Sequence[Row]) -> None:
        rows = list(rows)
        if not rows:
            return
        with self._or_fail(f"take rows {rows[0][0]} to {rows[-1][0]}"):
            expect_next(rows, self.head)
            self._journal.append(rows)

    def write_pages(self, pages: Sequence[Page]) -> None:
        with self._or_fail("take pages"):
            expect_written(pages, self.head)
            self._pages.expect_seals(len(pages))
            with self._catalog.change():
                self._journal.note_head()
                self._pages.write(pages)
            self._catalog.checkpoint_if_due()

    def tick(self) -> None:
        with self._or_fail("keep house"):
            self._journal.tick()
            self._journal.note_head()
            self._catalog.checkpoint_if_due()

    @property
    def grows_fast(self) -> bool:
        return self._journal.ahead_per_s > 0

    @property
    def lags(self) -> bool:
        return self._journal.lags

    def write_ahead(self, seconds: float) -> bool:
        with self._or_fail("write ahead"):
            return self._journal.write_ahead(seconds)

    def rotate(self) -> int:
        with self._or_fail("rotate its key"):
            with self._catalog.change():
                key_id = self._catalog.add_key()
                self._pages.seals = 0
                self._pages.note()
            self._journal.end_segment()
            return key_id

    def retire(self) -> list[int]:
        with self._or_fail("retire its keys"):
            pages = {key_id for key_id, count in self._pages.under.items() if count}
            used = {self._catalog.keys.newest, *pages, *self._journal.key_ids()}
            gone = [key_id for key_id in self._catalog.keys.ids if key_id not in used]
            if gone:
                self._catalog.remove_keys(gone)
            return gone

    def stale_pages(self) -> int:
        return self._pages.count - self._pages.under.get(self._catalog.keys.newest, 0)

    def drop_before(self, turn: int) -> int:
        with self._or_fail("drop rows"):
            return self._journal.drop_before(turn)

    def known_head(self) -> Head:
        """The last durable row, signed, to be kept elsewhere."""
        keys, tip, header = self._catalog.keys, self._journal.tip, self._journal.current.header
        links = self._journal.links
        key_id = header.key_id if header else links[-1].key_id if links else keys.newest
        head = Head(
            keys.store_id.hex(), keys.life_of(tip.turn), tip.turn, tip.tag.hex(), key_id,
            tip.time_ms,
        )  # fmt: skip
        return signed(head, self.secret)

    def expect_known(self, head: Head) -> None:
        own = self.known_head()._replace(incarnation=self._catalog.keys.incarnation)
        try:
            expect_known(head, own, self._journal, self._catalog.keys)
        finally:
            with self._journal.reading:
                close_reader(self._journal)  # whatever was looked at is to be replayed

    def backup(self, to: str, pace: float = 1.0, progress: Progress | None = None) -> Backup:
        with self._copying:
            self._alive()
            return copy_store(self._catalog, self._journal, to, pace, self._alive, progress)

    def ended(self) -> list[Link]:
        return list(self._journal.links)

    def archived(self, place: str) -> set[int]:
        found, keys = archived(place), self._catalog.keys
        return {link.number for link in self.ended()
                if (keys.life_of(link.first), link.number) in found}  # fmt: skip

    def archive(self, segment: Link, place: str) -> None:
        self._alive()
        archive_segment(self._journal, self._catalog, segment, place)

    def prove_rows(self, after: int) -> Proof:
        self._alive()
        return prove_rows(self._journal, self._catalog, after)

    def prove_pages(self, after: int) -> Proof:
        self._alive()
        return prove_pages(self._pages, self.head, after)

    def counters(self) -> dict[str, int]:
        return {
            "head": self.head,
            **self._journal.counters(),
            "pages": self._pages.count,
            "stale_pages": self.stale_pages(),
            "key": self._catalog.keys.newest,
            "keys": len(self._catalog.keys.ids),
            "seals": self._pages.seals,
        }

    def close(self) -> None:
        """A store that failed is closed as a crash would leave it, one that did not in order.

        Once more after an interrupt ends what that left.
        """
        if self._closed:
            return
        self._closing = True  # a copy under way ends
        with self._copying:
            self._close()

    def _close(self) -> None:
        try:
            if not self._dead:
                with self._or_fail("be closed"):
                    self._journal.close()
                    self._pages.end_reading()
                    self._catalog.checkpoint()
        finally:
            self._dead = self._dead or "is closed"
            self._journal.abandon()
            self._catalog.close()
            self._owner.release()
            self._closed = True

    def _alive(self) -> None:
        dead = self._dead or ("is being closed" if self._closing else "")
        if dead:
            raise StoreFailed(f"store {self._path} {dead}", hint=_HINT)

    @contextlib.contextmanager
    def _or_fail(self, what: str) -> Iterator[None]:
        """Ends the store with the first thing the disk refuses; misuse does not end it."""
        if self._dead:
            raise StoreFailed(f"store {self._path} {self._dead}", hint=_HINT)
        try:
            yield
        except InvalidArgument:
            raise
        except BaseException as error:
            # Also for an interrupt: who knows how far the commit was?
            self._dead = f"has ended: it could not {what} ({error})"
            if isinstance(error, Error) or not isinstance(error, Exception):
                raise
            raise StoreFailed(f"store {self._path} {self._dead}", hint=_HINT) from error
