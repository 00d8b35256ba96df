"""The journal: segments one after the other, each going on from the last row of the one before.

Opening always begins a new segment, so that neither a torn tail nor a restored copy can repeat a
nonce. A segment file is noted in the catalog before it may hold a row and its removal before it is
unlinked: a file that is noted and not there is damage, and so is one that holds rows and is not
noted. Making, closing, packing and unlinking files is done in `tick`, off the commit path; only
when that came too late does `append` make a file itself.
"""

import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

import apsw

from watchword.errors import InvalidArgument, StoreDamaged
from watchword.store import wal
from watchword.store.catalog import ENDED, MADE, PACKED, Anchor, Catalog, Link
from watchword.store.disk import fold_wal, unlink
from watchword.store.owner import JOURNAL
from watchword.store.row import row_time_ms
from watchword.store.segment import PAGE_BYTES, Reader, Row, Segment, Tip, segment_name

__all__ = ["VERIFY_BYTES", "Journal"]

SPARES: Final = 2  # segments made ahead: a second of the fastest stream measured fills two
VERIFY_BYTES: Final = 256 << 20  # newest part verified at every opening, covered by pages or not
PACK_FACTOR: Final = 4  # a -wal this much larger than its rows is folded into the database
_FILE: Final = re.compile(r"(\d{8})\.db(-wal|-journal|-shm)?")


class Journal:
    """The segments of an open store. `append` belongs to one thread, `tick` to one other."""

    def __init__(self, path: str, catalog: Catalog, segment_bytes: int) -> None:
        self._path = path
        self._catalog = catalog
        self._keys = catalog.keys
        self._segment_bytes = segment_bytes
        self._making = threading.Lock()  # of files and their numbers
        self._spares: deque[Segment] = deque()
        self._ended: deque[Segment] = deque()  # to be closed and noted
        self._dropped: deque[int] = deque()  # to be unlinked
        self._noted = catalog.head()[0]
        self.anchor = catalog.anchor()
        self.links: list[Link] = []  # ended, in order
        self.tip = Tip(self.anchor.turn, self.anchor.tag, self.anchor.time_ms)
        self._next = self._recover() + 1
        self._current = self._make()

    # ---- writing ---------------------------------------------------------------------------

    def append(self, rows: list[Row]) -> None:
        """Makes rows durable. Whatever is raised, none of them is promised."""
        if self._current.size >= self._segment_bytes:
            self.end_segment()
        self.tip = self._current.append(self._keys, self.tip, rows)

    def end_segment(self) -> None:
        """The next row begins a new segment; nothing to do while the present one has none."""
        old = self._current
        if old.header is None:
            return
        self.links.append(self._link(old, ENDED))
        self._ended.append(old)
        with self._making:
            # Under one lock with tick: numbers must go up in the order in which files are used.
            self._current = self._spares.popleft() if self._spares else self._make()

    def tick(self) -> None:
        """Everything about files that need not be done while a commit waits."""
        self._note_ended()
        while self._current.header is not None and len(self._spares) < SPARES:
            with self._making:
                self._spares.append(self._make())
        self._unlink_dropped()

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
        if self._current.header is not None:
            used.add(self._current.header.key_id)
        return used

    def counters(self) -> dict[str, int]:
        return {
            "segments": len(self.links) + 1,
            "spare_segments": len(self._spares),
            "dropped_through": self.anchor.turn,
            "journal_bytes": sum(link.size for link in self.links) + self._current.size,
        }

    def close(self) -> None:
        """Notes the last rows and removes the files that hold none."""
        unused = [segment for segment in (self._current, *self._spares) if segment.header is None]
        if self._current.header is not None:
            self.links.append(self._link(self._current, ENDED))
            self._ended.append(self._current)
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
        for segment in (self._current, *self._spares, *self._ended):
            segment.close()

    def _make(self) -> Segment:
        """A segment file, noted; the caller holds `_making` or is alone."""
        number = self._next
        self._next += 1
        segment = Segment(self._path, number)
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
        while self._ended:
            segment = self._ended[0]
            place = next(at for at, link in enumerate(self.links) if link.number == segment.number)
            self.links[place] = self._noted_link(
                self.links[place], segment.sealed_bytes, segment.connection
            )
            segment.close()
            self._ended.popleft()

    def _noted_link(self, link: Link, sealed_bytes: int, connection: apsw.Connection) -> Link:
        """Notes an ended segment, and folds a -wal that is mostly air into its database.

        A row of 100 bytes takes a frame of 4 KB; the database holds forty of them in that.
        """
        if link.size < sealed_bytes * PACK_FACTOR:
            self._catalog.set_link(link)
            return link
        link = link._replace(state=PACKED, size=sealed_bytes)
        self._catalog.set_link(link)
        fold_wal(connection)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)  # closing removes the -wal
        return link

    def _unlink_dropped(self) -> None:
        while self._dropped:
            unlink(os.path.join(self._path, segment_name(self._dropped[0])))
            self._dropped.popleft()

    # ---- recovery --------------------------------------------------------------------------

    def _recover(self) -> int:
        """Finds the tip and clears away files without rows; the highest number ever used."""
        links = self._catalog.links()
        numbers = [link.number for link in links]
        if numbers and numbers[0] <= self.anchor.number:
            raise StoreDamaged(f"{segment_name(numbers[0])} is kept and dropped at once")
        found = self._sweep(set(numbers))
        unused = []
        for link in links:
            if link.state == MADE:
                with Reader(self._path, link.number) as reader:
                    if reader.header is None:
                        unused.append(link.number)
                        continue
                    link = self._end(reader)
            else:
                self._expect_there(link)
            self.links.append(link)
            self.tip = Tip(link.last, link.tag, link.time_ms)
        self._expect_noted()
        with self._catalog.change():
            for number in unused:
                self._catalog.remove_link(number)
        for number in unused:
            unlink(os.path.join(self._path, segment_name(number)))
        return max([self.anchor.number, *numbers, *found], default=0)

    def _end(self, reader: Reader) -> Link:
        """The link of a segment that the last owner was writing when it ended."""
        header = reader.expect(self._keys, self.tip)
        last = Tip(0, b"", 0)
        for turn, row, tag in reader.rows(self._keys, reader.last):
            last = Tip(turn, tag, row_time_ms(row))
        noted, noted_tag = self._catalog.head()
        if header.first <= noted <= reader.last and reader.tag_of(noted) != noted_tag:
            raise StoreDamaged(f"{reader.name}: row {noted} is not the one that was made durable")
        wal.settle(reader.path + "-wal", reader.size)
        link = Link(
            reader.number,
            ENDED,
            header.first,
            last.turn,
            last.tag,
            header.key_id,
            last.time_ms,
            reader.size,
        )
        return self._noted_link(link, reader.sealed_bytes, reader.connection)

    def _expect_there(self, link: Link) -> None:
        """An ended segment is there, as long as it was, and goes on where the last one ended."""
        name = segment_name(link.number)
        path = os.path.join(self._path, name)
        if link.first != self.tip.turn + 1:
            raise StoreDamaged(f"{name} begins with row {link.first}, not {self.tip.turn + 1}")
        if not os.path.exists(path):
            raise StoreDamaged(f"{name} is missing with rows {link.first} to {link.last}")
        if link.state == ENDED:
            held = _length(path + "-wal")
            if held < link.size:
                raise StoreDamaged(
                    f"{name}-wal was cut to {held} bytes of {link.size}: "
                    f"rows up to {link.last} are missing"
                )

    def _expect_noted(self) -> None:
        noted, _tag = self._catalog.head()
        if noted > self.tip.turn:
            last = segment_name(self.links[-1].number) if self.links else "the journal"
            raise StoreDamaged(
                f"{last} ends with row {self.tip.turn}, but row {noted} was made durable"
            )

    def _sweep(self, known: set[int]) -> set[int]:
        """Unlinks files that are no segment of this store any more, or never became one."""
        found = set()
        for name in os.listdir(os.path.join(self._path, JOURNAL)):
            match = _FILE.fullmatch(name)
            if match:
                found.add(int(match[1]))
        for number in sorted(found - known):
            path = os.path.join(self._path, segment_name(number))
            if number > self.anchor.number:
                self._expect_empty(number, path)
            unlink(path)
        return found

    def _expect_empty(self, number: int, path: str) -> None:
        """A segment nobody noted may be one that was never finished; it must not hold rows."""
        if max(_length(path) - PAGE_BYTES, _length(path + "-wal") - wal.HEADER_BYTES) <= 0:
            return
        with Reader(self._path, number, packed=True, noted=False) as reader:
            if reader.header is not None:
                raise StoreDamaged(
                    f"{segment_name(number)} holds rows {reader.header.first} to {reader.last}, "
                    "but pages.db does not know it: pages.db is older than the journal"
                )

    # ---- reading ---------------------------------------------------------------------------

    def replay(self, after: int) -> Iterator[tuple[int, memoryview]]:
        """Rows after `after`, verified with all of the newest VERIFY_BYTES, needed or not."""
        if after > self.tip.turn:
            raise InvalidArgument(f"row {after} is beyond the journal's end, row {self.tip.turn}")
        if after < self.anchor.turn:
            raise StoreDamaged(
                f"the journal begins with row {self.anchor.turn + 1}, row {after + 1} was dropped"
            )
        if self._current.header is not None:
            raise InvalidArgument("replay comes before the first append")
        whole = self._whole_from()
        previous = Tip(self.anchor.turn, self.anchor.tag, 0)
        for at, link in enumerate(self.links):
            if link.last > after or at >= whole:
                yield from self._replay_link(link, previous, after, whole=at >= whole)
            previous = Tip(link.last, link.tag, link.time_ms)

    def _whole_from(self) -> int:
        """Place in `links` from which on every row is verified."""
        at, left = len(self.links), VERIFY_BYTES
        while at and self.links[at - 1].size <= left:
            at -= 1
            left -= self.links[at].size
        return at

    def _replay_link(
        self, link: Link, previous: Tip, after: int, *, whole: bool
    ) -> Iterator[tuple[int, memoryview]]:
        with Reader(self._path, link.number, packed=link.state == PACKED) as reader:
            header = reader.expect(self._keys, previous)
            start = header.first if whole else max(header.first, after + 1)
            reached = start - 1, b""
            for turn, row, tag in reader.rows(self._keys, start):
                reached = turn, tag
                if turn > after:
                    yield turn, row
            if reached[0] < link.last:
                raise StoreDamaged(f"{reader.name}: row {reached[0] + 1} is missing")
            if reached != (link.last, link.tag):
                raise StoreDamaged(f"{reader.name}: row {link.last} should be its last row")


def _length(path: str) -> int:
    """Bytes of a file; 0 without one."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
