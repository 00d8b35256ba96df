"""The journal: segments one after the other, each going on from the last row of the one before.

Opening always begins a new segment, so that neither a torn tail nor a restored copy can repeat a
nonce. A segment file is noted in the catalog before it may hold a row and its removal before it is
unlinked: a file that is noted and not there is damage, and so is one that holds rows and is not
noted. Making, closing, packing and unlinking files is done in `tick`, off the commit path; only
when that came too late does `append` make a file itself.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from watchword.errors import InvalidArgument
from watchword.store.catalog import Catalog
from watchword.store.disk import room, unlink
from watchword.store.history import close_reader, rows_between
from watchword.store.link import ENDED, MADE, Anchor, Link
from watchword.store.recovery import note_ended, recover, replay
from watchword.store.segment import Reader, Row, Segment, segment_name

__all__ = ["Journal"]

SPARES: Final = 2  # segments made ahead: a second of the fastest stream measured fills two
BUSY_PART: Final = 64  # of a segment, filled between two looks: the next ones are written ahead
LOOK_SECONDS: Final = 0.9  # between two that find less
ROOM_SEGMENTS: Final = 8  # that the disk must have left for it
AHEAD_FACTOR: Final = 2  # faster than it grows
FIRST_SECONDS: Final = 0.5  # for the first file of all, while commits take twice as long without it


class Journal:
    """The segments of an open store. `append` belongs to one thread, `tick` to one other."""

    def __init__(self, path: str, catalog: Catalog, segment_bytes: int) -> None:
        self.path = path
        self._catalog = catalog
        self._keys = catalog.keys
        self._segment_bytes = segment_bytes
        self._making = threading.Lock()  # of files and their numbers
        self.reading = threading.Lock()  # of ended files, one at a time (history.py)
        self.reader: Reader | None = None
        self.closed = self._broken = False
        self._spares: deque[Segment] = deque()
        self.ended: deque[Segment] = deque()  # to be closed and noted
        self._dropped: deque[int] = deque()  # to be unlinked
        self._left: Segment | None = None  # not written ahead, and the next one is
        # Where rows went at the last look: the segment's number, its size, and when that was.
        self._seen = 0, 0, time.monotonic()
        self.ahead_per_s = 0  # bytes
        self._noted = catalog.head()[0]
        self.anchor = catalog.anchor()
        self.links, self.tip, highest = recover(path, catalog)  # links: ended segments, in order
        self._next = highest + 1
        self.current = self._make()

    def append(self, rows: list[Row]) -> None:
        """Makes rows durable. Whatever is raised, none of them is promised."""
        if self.current is self._left or self.current.size >= self._segment_bytes:
            self.end_segment()
        try:
            self.tip = self.current.append(self._keys, self.tip, rows)
        except BaseException:
            self._broken = True  # a tick under way writes no more
            raise

    def replay(self, after: int) -> Iterator[tuple[int, memoryview]]:
        """Turn and plain row from turn `after` + 1 on, before the first append."""
        if self.current.header is not None:
            raise InvalidArgument("replay comes before the first append")
        if after > self.tip.turn:
            raise InvalidArgument(f"row {after} is beyond the journal's end, row {self.tip.turn}")
        with self.reading:
            close_reader(self)  # a file has one connection, whoever looked back before
        return replay(self.path, self._catalog.keys, self.anchor, self.links, after)

    def history(self, after: int, through: int) -> Iterator[tuple[int, memoryview, int]]:
        """Turn, plain row and number of its segment, while rows are appended (history.py)."""
        return rows_between(self, self._keys, after, min(through, self.tip.turn))

    def end_segment(self) -> None:
        """The next row begins a new segment; nothing to do while the present one has none."""
        old = self.current
        if old.header is None:
            return
        self.links.append(self._link(old, ENDED))
        self.ended.append(old)
        with self._making:
            # Under one lock with tick: numbers must go up in the order in which files are used.
            self.current = self._spares.popleft() if self._spares else self._make()

    def tick(self) -> None:
        """Everything about files that need not be done while a commit waits."""
        self._note_ended()
        while self.current.header is not None and len(self._spares) < SPARES:
            with self._making:
                self._spares.append(self._make())
        self._look_ahead()
        self._unlink_dropped()

    @property
    def lags(self) -> bool:
        """It grows fast, and where nothing was written ahead."""
        return self.ahead_per_s > 0 and self.current.ahead < self._segment_bytes

    def write_ahead(self, seconds: float) -> bool:
        """The room of what comes next, for a journal that grows fast: a sync takes half the time
        over blocks that are there, and waits for no worker of the file system's that notes where
        they are. Evenly, for so long at most: all at once it takes the processor and the disk from
        commits. Only files without a row are filled, or commits would wait for it; so the journal
        goes over to the first that is full. Whether there is more to do."""
        size, pace, more = self._segment_bytes, self.ahead_per_s, False
        if self.lags:
            pace = max(pace, int(size / FIRST_SECONDS))
        for segment in tuple(self._spares):
            if pace and not more and not self._broken:
                more = segment.write_ahead(size, pace, seconds)
        with self._making:  # or a commit takes the spare meanwhile
            old = self.current
            if old.ahead < size and self._spares and self._spares[0].ahead >= size:
                self._left = old
        return more

    def drop_before(self, turn: int) -> int:
        """Drops the oldest segments as long as all their rows are before `turn`."""
        self._note_ended()
        gone = 0
        while gone < len(self.links) and self.links[gone].last < turn:
            gone += 1
        if gone:
            last = self.links[gone - 1]
            self.anchor = Anchor(last.number, last.last, last.tag, last.key_id, last.time_ms)
            with self._catalog.change():
                self._catalog.set_anchor(self.anchor)
                for link in self.links[:gone]:
                    self._catalog.remove_link(link.number)
            self._dropped.extend(link.number for link in self.links[:gone])
            del self.links[:gone]
        return gone

    def note_head(self) -> None:
        """Writes down the tip: a journal that lacks it later is refused."""
        tip = self.tip
        if tip.turn != self._noted:
            self._catalog.set_head(tip.turn, tip.tag)
            self._noted = tip.turn

    def key_ids(self) -> set[int]:
        """The data keys of all kept rows."""
        used = {link.key_id for link in self.links}
        if self.current.header is not None:
            used.add(self.current.header.key_id)
        return used

    def counters(self) -> dict[str, int]:
        return {
            "segments": len(self.links) + 1,
            "spare_segments": len(self._spares),
            "dropped_through": self.anchor.turn,
            "journal_bytes": sum(link.size for link in self.links) + self.current.size,
        }

    def close(self) -> None:
        """Notes the last rows and removes the files that hold none."""
        unused = [segment for segment in (self.current, *self._spares) if segment.header is None]
        if self.current.header is not None:
            self.links.append(self._link(self.current, ENDED))
            self.ended.append(self.current)
        with self._catalog.change():
            self.note_head()
            for segment in unused:
                self._catalog.remove_link(segment.number)
        self._note_ended()
        for segment in unused:
            segment.close()
            unlink(segment.path)
        self._unlink_dropped()

    def abandon(self) -> None:
        """Closes the files and writes nothing."""
        with self.reading:
            self.closed = True
            close_reader(self)
        for segment in (self.current, *self._spares, *self.ended):
            segment.close()

    def _make(self) -> Segment:
        """A segment file, noted; the caller holds `_making` or is alone."""
        number = self._next
        self._next += 1
        segment = Segment(self.path, number)
        try:
            self._catalog.set_link(Link(number, MADE))
        except BaseException:
            segment.close()
            raise
        return segment

    def _link(self, segment: Segment, state: int) -> Link:
        header = segment.header
        assert header is not None
        return Link(
            segment.number,
            state,
            header.first,
            self.tip.turn,
            self.tip.tag,
            header.key_id,
            self.tip.time_ms,
            segment.size,
        )

    def _note_ended(self) -> None:
        """Notes, packs and closes the segments that were left since last time."""
        while self.ended:
            segment = self.ended[0]
            place = next(at for at, link in enumerate(self.links) if link.number == segment.number)
            with segment.lock:
                self.links[place] = note_ended(
                    self._catalog, self.links[place], segment.sealed_bytes, segment.connection
                )
            segment.close()
            self.ended.popleft()

    def _look_ahead(self) -> None:
        """How fast what comes next has to be written ahead: not at all where the journal grows
        slowly, which would only take room, nor where there is little room."""
        (number, before, at), now = self._seen, time.monotonic()
        grown = self.current.size - (before if number == self.current.number else 0)
        busy = grown >= self._segment_bytes // BUSY_PART
        if not busy and now - at < LOOK_SECONDS:
            return  # ticks may follow each other closely
        self._seen = self.current.number, self.current.size, now
        if busy and room(self.path)[0] >= ROOM_SEGMENTS * self._segment_bytes:
            self.ahead_per_s = int(AHEAD_FACTOR * grown / max(now - at, 1e-6))
        else:
            self.ahead_per_s = 0

    def _unlink_dropped(self) -> None:
        while self._dropped:
            unlink(os.path.join(self.path, segment_name(self._dropped[0])))
            self._dropped.popleft()
