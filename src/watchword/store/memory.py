"""A store without durability, for ":memory:": it keeps the head and counts, and nothing else.

It obeys the same order of calls as a real one, so that an engine that would break the write-ahead
rule on disk breaks it here as well. It grows with nothing.
"""

import secrets
from collections.abc import Iterator, Sequence

from watchword.errors import NotFound, StoreFailed
from watchword.store.backup import Backup, Progress
from watchword.store.head import Head
from watchword.store.link import Link
from watchword.store.proof import Proof
from watchword.store.row import expect_next, expect_written, row_time_ms
from watchword.store.seam import Page

__all__ = ["MemoryStore"]


class MemoryStore:
    """See `watchword.store.Store`."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(32)
        self.created = True
        self.head = 0
        self.last_time_ms = 0
        self._key_id = 1
        self._rows = 0
        self._seals = 0
        self._closed = False

    def pages(self) -> Iterator[Page]:
        return iter(())

    def replay(self, after: int) -> Iterator[tuple[int, memoryview]]:
        if after != self.head:
            raise NotFound("a store in memory keeps no rows")
        return iter(())

    def history(self, after: int, through: int) -> Iterator[tuple[int, memoryview, int]]:
        raise NotFound("a store in memory keeps no rows")

    def append(self, rows: Sequence[tuple[int, bytes | bytearray | memoryview]]) -> None:
        if self._closed:
            raise StoreFailed("the store is closed")
        if not rows:
            return
        expect_next(rows, self.head)
        self.head, last = rows[-1]
        self.last_time_ms = row_time_ms(last)
        self._rows += len(rows)

    def write_pages(self, pages: Sequence[Page]) -> None:
        expect_written(pages, self.head)
        self._seals += len(pages)

    def tick(self) -> None:
        """Nothing to keep."""

    grows_fast = lags = False

    def write_ahead(self, seconds: float) -> bool:
        """Nor to make room for."""
        return False

    def rotate(self) -> int:
        self._key_id += 1
        self._seals = 0
        return self._key_id

    def retire(self) -> list[int]:
        return []

    def stale_pages(self) -> int:
        return 0

    def drop_before(self, turn: int) -> int:
        return 0

    def known_head(self) -> Head:
        raise NotFound("a store in memory has no journal")

    def expect_known(self, head: Head) -> None:
        raise NotFound("a store in memory has no journal")

    def backup(self, to: str, pace: float = 1.0, progress: Progress | None = None) -> Backup:
        raise NotFound("a store in memory keeps nothing to copy")

    def ended(self) -> list[Link]:
        return []

    def archived(self, place: str) -> set[int]:
        return set()

    def archive(self, segment: Link, place: str) -> None:
        raise NotFound("a store in memory has no journal")

    def prove_rows(self, after: int) -> Proof:
        raise NotFound("a store in memory has no journal")

    def prove_pages(self, after: int) -> Proof:
        raise NotFound("a store in memory has no pages")

    def counters(self) -> dict[str, int]:
        return {"head": self.head, "rows": self._rows, "key": self._key_id, "seals": self._seals}

    def close(self) -> None:
        self._closed = True
