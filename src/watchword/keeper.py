"""The keeper: writes changed pages in the background and keeps the journal's segments in order.

Write-ahead rule: a page is copied between turns, under the engine's lock, and is written only when
the journal is durable through the last turn in it. What fails here ends the engine like a commit.
A pass begins when enough rows wait for it, or a while after the last one: where every user is as
likely as any other each pass writes all pages, and rows are what recovery can read fastest anyway.
"""

import contextlib
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from watchword._engine import Core, ids_behind, ids_from
from watchword.errors import StoreFailed
from watchword.gentle import Gentle
from watchword.store import Page, Store
from watchword.store.commits import said
from watchword.store.disk import room
from watchword.store.sqlite import SEGMENT_BYTES

if TYPE_CHECKING:
    from watchword.parts import Parts

__all__ = [
    "COVERED", "PAGES_PER_WRITE_MAX", "PASS_BYTES", "PASS_SECONDS", "PASS_TICKS", "RESERVE_BYTES",
    "UNCOVERED_BYTES_MAX", "Keeper", "covered_by",
    "remember_ids",
]  # fmt: skip

PASS_SECONDS = 1.0          # between two looks at the disk
PASS_BYTES = 128 << 20      # rows without their pages: so many begin a pass
HURRY_BYTES = 240 << 20     # and so many have it rest no more; in between it rests less and less
PASS_TICKS = 30             # looks after which a pass begins anyway
UNCOVERED_BYTES_MAX = 320 << 20  # ten million records; beyond them logins are BUSY
RESERVE_BYTES = 2 * SEGMENT_BYTES
TOMBS_PER_WRITE_MAX = 8
PAGES_PER_WRITE = 2         # users' pages a transaction: whoever shares its core waits for it
PAGES_PER_WRITE_MAX = 8     # and where there is no time for rests
COVERED = struct.Struct("<qqq")  # see covered_by
AHEAD_SECONDS_MAX = 0.05    # at a time, of making room; whoever ends a rest waits for it
PACE = 9.0                  # rests after a transaction, in times of what it took


def covered_by(image: bytes | bytearray | memoryview) -> tuple[int, int, int]:
    """What the page of what is covered holds: the greatest time of any row that pages hold; the
    turn of a row before which no request id was live, or 0; the greatest time up to that row. What
    an older format lacks is 0."""
    latest_ms, turn, at_ms = COVERED.unpack_from(bytes(image).ljust(COVERED.size, b"\0"))
    return latest_ms, turn, at_ms


def remember_ids(core: Core, store: Store, covered: int, turn: int, at_ms: int) -> None:
    """Request ids that were live when the pages were written, from row `turn` on."""
    if 0 < turn <= covered:
        for number, row, _ in store.history(turn - 1, covered):
            at_ms = ids_behind(core, row, number, at_ms)


class Keeper:
    """One background thread of an engine that has a durable store."""

    def __init__(self, engine: "Parts") -> None:
        self._engine = engine
        self.pass_seconds = PASS_SECONDS
        self.pass_ticks = PASS_TICKS
        self.pace = PACE
        self.low_disk = ""
        self.disk_free_bytes = 0
        self.disk_bytes = 0     # of the whole disk; 0: nobody has looked
        self._ticks = 0
        self._house_kept = 0.0
        self._writing = threading.Lock()
        self._closing = self._hurried = False
        # What ends a rest: that between passes, or those within one. An Event's methods are Python,
        # and an interrupt in one leaves its lock taken.
        self._end: SimpleQueue[None] = SimpleQueue()
        self._hurry: SimpleQueue[None] = SimpleQueue()
        self._gentle = Gentle("watchword-gentle")
        self._thread = threading.Thread(target=self._run, name="watchword-keeper", daemon=True)

    def start(self) -> None:
        self.look_at_disk()
        self._thread.start()

    def _run(self) -> None:
        self._ticks = self.pass_ticks  # what was replayed has no pages yet
        while not self._closing:
            try:
                self._rest(self._end, self.pass_seconds)
                if self._closing:
                    return
                with self._writing:
                    self._keep_house()
                self._ticks += 1
                if self._ticks >= self.pass_ticks or self._engine._uncovered() >= PASS_BYTES:
                    self.write(self.pace)
                    self._ticks = 0
            except BaseException as error:
                self._engine._end(error)
                return

    def _rest(self, ends: "SimpleQueue[None]", seconds: float) -> None:
        """So long, or until told. Meanwhile a journal that grows fast gets room to grow into."""
        store, until = self._engine._store, time.monotonic() + seconds
        more = store.grows_fast
        while more and ends.empty() and (left := until - time.monotonic()) > 0:
            write = partial(store.write_ahead, min(left, AHEAD_SECONDS_MAX))
            more = write() if store.lags else self._gentle.do(write)
        with contextlib.suppress(Empty):
            ends.get(timeout=max(0.0, until - time.monotonic()))

    def _keep_house(self) -> None:
        """What has to be done about once in `pass_seconds`, also in the midst of a long pass."""
        self.look_at_disk()
        self._engine._store.tick()
        self._engine._retain()
        self._house_kept = time.monotonic()

    def write(self, pace: float = 0.0) -> None:
        """Writes every page that has changed. Errors: StoreFailed."""
        with self._writing:
            engine = self._engine
            with engine._lock:
                began, rows = engine._turn, engine._row_bytes
                latest = COVERED.pack(engine._core.latest_ms, *ids_from(engine._core))
            try:
                for pages in self._copies(pace):
                    at = time.monotonic()
                    engine._commits.wait(max(page.turn for page in pages))
                    write = partial(engine._store.write_pages, pages)
                    if self._ease(pace):
                        self._gentle.do(write)
                    else:
                        write()
                    if pace and time.monotonic() - self._house_kept >= self.pass_seconds:
                        self._keep_house()
                    if ease := self._ease(pace):
                        self._rest(self._hurry, ease * (time.monotonic() - at))
            except BaseException:
                # What was copied counts as clean and was not written: a pass that covers it, for
                # an interrupt alone ends no engine, would let recovery skip its rows.
                with engine._lock:
                    engine._core.dirty_all()
                    engine._tombs.all_changed()
                    engine._policy_dirty = True
                raise
            if began > engine._covered:
                engine._commits.wait(began)
                engine._store.write_pages([Page("covered", 0, began, latest)])
                engine._covered, engine._covered_bytes = began, rows

    def _ease(self, pace: float) -> float:
        """How much of its rests a pass may take: all of them, or none while rows come faster than
        it covers them, or somebody waits for its end."""
        if self._closing or self._hurried:
            return 0.0
        left = HURRY_BYTES - self._engine._uncovered()
        return pace * min(1.0, max(0.0, left / (HURRY_BYTES - PASS_BYTES)))

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """No page is written and no segment kept while this is held. A pass under way hurries."""
        self._hurried = True
        self._hurry.put(None)
        with self._writing:
            self._hurried = False
            yield

    def _copies(self, pace: float = 0.0) -> Iterator[list[Page]]:
        """Changed pages, a transaction's worth at a time, each copied between two turns."""
        engine, core, number = self._engine, self._engine._core, -1
        while True:
            pages: list[Page] = []
            most = PAGES_PER_WRITE if self._ease(pace) else PAGES_PER_WRITE_MAX
            while len(pages) < most:
                with engine._lock:
                    if engine._commits.failed is not None:  # memory may know what no row does
                        raise StoreFailed(f"the engine has ended: {said(engine._commits.failed)}")
                    turn = engine._turn
                    pages += engine._policy_pages(turn)  # before what was done under it
                    found = core.dirty_page(number + 1)
                    if found is None:
                        pages += engine._tombs.dirty_pages(turn, TOMBS_PER_WRITE_MAX)
                        break
                    number, identity = found
                    if identity:
                        pages.append(Page("identity", number, turn, core.page_identity(number)))
                    pages.append(Page("state", number, turn, core.page_state(number)))
            if not pages:
                return
            yield pages

    def look_at_disk(self) -> None:
        """Below the reserve logins are BUSY while administration goes on (RULES section 7)."""
        free, self.disk_bytes = room(self._engine._path)
        self.disk_free_bytes = free
        self.low_disk = (
            f"the disk has {free >> 20} MB left, less than the reserve of "
            f"{RESERVE_BYTES >> 20} MB" if free < RESERVE_BYTES else ""
        )

    def close(self) -> None:
        self._closing = True
        self._end.put(None)
        self._hurry.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._gentle.close()
