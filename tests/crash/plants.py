"""Bugs put into the store on purpose, each for as long as a `with` block lasts.

A rig that cannot fail proves nothing: tests/test_crash.py lets each of these loose and expects the
rig that claims to see it to do so.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw

from watchword import Engine, Error
from watchword.store import backup, catalog, journal, recovery, segment, sqlite, wal
from watchword.store.catalog import Catalog
from watchword.store.disk import connect, fold_wal
from watchword.store.journal import Journal
from watchword.store.link import ENDED, PACKED, Link
from watchword.store.segment import PAGE_BYTES

from .preload import Event, Kind, Recorder

__all__ = ["LOOP", "REPLAY", "broken"]


@contextlib.contextmanager
def broken(*changes: tuple[object, str, object]) -> Iterator[None]:
    """Attributes replaced for a while: (where, name, by what)."""
    before = [(where, name, getattr(where, name)) for where, name, _ in changes]
    try:
        for where, name, by in changes:
            setattr(where, name, by)
        yield
    finally:
        for where, name, old in before:
            setattr(where, name, old)


def answer_before_sync() -> Any:
    """Every other row is answered when it is queued; it goes down with the next one."""
    wait = Engine._wait

    def hasty(self: Engine, turn: int) -> None:
        if turn % 2 == 0:
            wait(self, turn)

    return broken((Engine, "_wait", hasty))


def _synchronous(mode: str, only: str = "") -> Any:
    def lax(path: str, *, keep_wal: bool) -> apsw.Connection:
        connection = connect(path, keep_wal=keep_wal)
        if only in os.path.basename(path):
            connection.pragma("synchronous", mode)
        return connection

    return broken((segment, "connect", lax), (catalog, "connect", lax))


def synchronous_normal() -> Any:
    """The WAL is synced at checkpoints alone."""
    return _synchronous("normal")


def renamed_without_sync() -> Any:
    """A new pages.db gets its name before its bytes are on the disk."""
    return _synchronous("off", only="pages.new")


def directory_never_synced() -> Any:
    """Names are left to the file system: bytes are durable, what they are called is not."""
    stop = Recorder.stop

    def deaf(self: Recorder) -> Sequence[Event]:
        return [e for e in stop(self) if not (e.kind is Kind.SYNC and e.path)]

    return broken((Recorder, "stop", deaf))


def dropped_before_it_is_noted() -> Any:
    """Segments are unlinked first; then the catalog learns that they are gone."""
    drop = Journal.drop_before

    def hasty(self: Journal, turn: int) -> int:
        for link in self.links:
            if link.last >= turn:
                break
            self._dropped.append(link.number)
        self._unlink_dropped()
        return drop(self, turn)

    return broken((Journal, "drop_before", hasty))


def dropped_before_the_pages() -> Any:
    """Every ended segment is dropped, whether the pages hold what it held or not."""
    drop = Journal.drop_before
    return broken((Journal, "drop_before", lambda self, turn: drop(self, self.tip.turn + 1)))


def packed_before_it_is_noted() -> Any:
    """An ended segment's -wal is folded away while the catalog still asks for it."""

    def hasty(
        catalog: Catalog, link: Link, sealed_bytes: int, connection: apsw.Connection
    ) -> Link:
        catalog.set_link(link._replace(state=ENDED))
        fold_wal(connection)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        link = link._replace(state=PACKED, size=sealed_bytes)
        catalog.set_link(link)
        return link

    return broken((journal, "note_ended", hasty), (recovery, "note_ended", hasty))


def cut_into_the_rows() -> Any:
    """What was written ahead is given back, and the last frame of the rows with it."""

    def hasty(path: str, size: int) -> None:
        wal_cut(path, size - PAGE_BYTES)

    wal_cut = wal.cut
    return broken((wal, "cut", hasty))


def not_settled() -> Any:
    """What recovery found in the page cache is believed without being written and synced."""

    def believed(_reader: segment.Reader, link: Link, catalog: Catalog) -> Link:
        catalog.set_link(link)
        return link

    return broken((recovery, "_settle", believed))


def head_noted_first() -> Any:
    """The head is written down before the rows it speaks of are durable."""
    append = Journal.append

    def hasty(self: Journal, rows: list[segment.Row]) -> None:
        with self._catalog.change():
            self._catalog.set_head(rows[-1][0], bytes(16))
        append(self, rows)
        self._catalog.set_head(self.tip.turn, self.tip.tag)  # whoever is not cut off sees nothing

    return broken((Journal, "append", hasty))


def key_retired_early() -> Any:
    """A rotation forgets every old key, also of rows that are kept."""
    return broken((Journal, "key_ids", lambda self: set()))


def segment_noted_late() -> Any:
    """A segment file takes rows before the catalog knows it."""
    make, late = Journal._make, Journal._note_ended

    def unnoted(self: Journal) -> segment.Segment:
        with broken((self._catalog, "set_link", lambda link: None)):
            return make(self)

    def noted(self: Journal) -> None:
        self._catalog.set_link(Link(self.current.number))
        late(self)

    return broken((Journal, "_make", unnoted), (Journal, "_note_ended", noted))


def pages_of_the_future() -> Any:
    """Pages are written without waiting for the rows of the turns they hold."""
    wait = Engine._wait

    def early(self: Engine, turn: int) -> None:
        if turn % 3 == 0 and self._keeper is not None and not self._lock.open_turn:
            with contextlib.suppress(Error):  # from within a turn
                for pages in list(self._keeper._copies()):
                    self._store.write_pages(pages)
        wait(self, turn)

    return broken((Engine, "_wait", early), (sqlite, "expect_written", lambda pages, head: None))


def copied_without_the_live_segment() -> Any:
    """A backup takes the segments that have ended, under pages that know of later rows."""

    def ended(journal: Journal) -> segment.Tip:
        last = journal.links[-1] if journal.links else journal.anchor
        turn = last.last if isinstance(last, Link) else last.turn
        return segment.Tip(turn, last.tag, last.time_ms)

    return broken((backup, "durable", ended))


def copied_under_its_own_name() -> Any:
    """A backup has its name before it is whole."""

    def in_place(to: str) -> str:
        os.makedirs(os.path.join(to, "journal"), 0o700)
        return to

    return broken((backup, "stage", in_place), (backup, "rename", lambda part, to: None))


def restored_as_it_was() -> Any:
    """A restore raises no floor."""
    return broken((Engine, "raise_floors", lambda engine, **_: 0))


Plant = Callable[[], Any]

REPLAY: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        answer_before_sync, synchronous_normal, renamed_without_sync, directory_never_synced,
        dropped_before_it_is_noted, dropped_before_the_pages, packed_before_it_is_noted,
        cut_into_the_rows, not_settled, head_noted_first, key_retired_early, segment_noted_late,
        pages_of_the_future, copied_without_the_live_segment, copied_under_its_own_name,
        restored_as_it_was,
    )
}  # fmt: skip
LOOP: dict[str, Plant] = {
    plant.__name__: plant for plant in (answer_before_sync, synchronous_normal)
}
