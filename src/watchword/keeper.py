"""The keeper: writes changed pages in the background and keeps the journal's segments in order.

Write-ahead rule: a page is copied between turns, under the engine's lock, and is written only when
the journal is durable through the last turn in it. What fails here ends the engine like a commit.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from watchword.store import Page
from watchword.store.sqlite import SEGMENT_BYTES

if TYPE_CHECKING:
    from watchword.parts import Parts

__all__ = ["PAGES_PER_WRITE_MAX", "PASS_SECONDS", "RESERVE_BYTES", "Keeper"]

PASS_SECONDS = 1.0
RESERVE_BYTES = 2 * SEGMENT_BYTES
TOMBS_PER_WRITE_MAX = 8
PAGES_PER_WRITE_MAX = 32  # users' pages a transaction: a stream would stall commits, steps do not


class Keeper:
    """One background thread of an engine that has a durable store."""

    def __init__(self, engine: "Parts") -> None:
        self._engine = engine
        self.pass_seconds = PASS_SECONDS
        self.low_disk = ""
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchword-keeper", daemon=True)

    def start(self) -> None:
        self.look_at_disk()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self.pass_seconds):
            try:
                self.look_at_disk()
                with self._writing:
                    self._engine._store.tick()
                self.write()
            except BaseException as error:
                self._engine._end(error)
                return

    def write(self) -> None:
        """Writes every page that has changed. Errors: StoreFailed."""
        with self._writing:
            engine = self._engine
            with engine._lock:
                began = engine._turn
            for pages in self._copies():
                engine._commits.wait(max(page.turn for page in pages))
                engine._store.write_pages(pages)
            if began > engine._covered:
                engine._commits.wait(began)
                engine._store.write_pages([Page("covered", 0, began, b"")])
                engine._covered = began

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """No page is written and no segment kept while this is held."""
        with self._writing:
            yield

    def _copies(self) -> Iterator[list[Page]]:
        """Changed pages, a transaction's worth at a time, each copied between two turns."""
        engine, core, number = self._engine, self._engine._core, -1
        while True:
            pages: list[Page] = []
            while len(pages) < PAGES_PER_WRITE_MAX:
                with engine._lock:
                    turn = engine._turn
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
        disk = os.statvfs(self._engine._path)
        free = disk.f_bavail * disk.f_frsize
        self.low_disk = (
            f"the disk has {free >> 20} MB left, less than the reserve of "
            f"{RESERVE_BYTES >> 20} MB" if free < RESERVE_BYTES else ""
        )

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
