"""The journal as an earlier life left it: looked at first, then settled, then read row by row.

Nothing is changed before everything was looked at: a store that is refused stays as it is. Each
refusal names the segment and, where rows are the matter, the row.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Final

import apsw

from watchword.errors import StoreDamaged
from watchword.store import wal
from watchword.store.catalog import Catalog
from watchword.store.disk import believing, fold_wal, unlink
from watchword.store.link import ENDED, MADE, PACKED, Anchor, Link
from watchword.store.owner import JOURNAL
from watchword.store.row import row_time_ms
from watchword.store.sealing import Keyring
from watchword.store.segment import PAGE_BYTES, Reader, Tip, segment_name

__all__ = ["expect_there", "note_ended", "numbers_found", "recover", "replay"]

VERIFY_BYTES: Final = 256 << 20  # newest part verified at every opening, covered by pages or not
PACK_FACTOR = 4  # a -wal this much larger than its rows is folded into the database
_FILE: Final = re.compile(r"(\d{8})\.db(-wal|-journal|-shm)?")


def recover(path: str, catalog: Catalog) -> tuple[list[Link], Tip, int]:
    """The ended segments in order, the last row, and the highest number a file ever had.

    Segments the last owner was writing are ended, files that hold no row are removed. Raises
    StoreDamaged.
    """
    anchor, links, empty = catalog.anchor(), [], []
    tip = Tip(anchor.turn, anchor.tag, anchor.time_ms)
    noted = catalog.links()
    numbers = [link.number for link in noted]
    found = numbers_found(path)
    for number in sorted(found - set(numbers)):
        if number > anchor.number:
            _expect_no_rows(path, number)
        empty.append(number)
    with contextlib.ExitStack() as opened:
        left: dict[int, Reader] = {}
        for link in noted:
            if link.state == MADE:
                reader = opened.enter_context(Reader(path, link.number))
                if reader.header is None:
                    empty.append(link.number)
                    continue
                left[link.number] = reader
                link = _left_behind(reader, catalog, tip)
            else:
                expect_there(path, link, tip)
            links.append(link)
            tip = Tip(link.last, link.tag, link.time_ms)
        _expect_head(catalog, links, tip)
        for at, link in enumerate(links):
            if link.number in left:
                links[at] = _settle(left[link.number], link, catalog)
    with catalog.change():
        for number in empty:
            catalog.remove_link(number)
    for number in empty:
        unlink(os.path.join(path, segment_name(number)))
    return links, tip, max([anchor.number, *numbers, *found])


def note_ended(
    catalog: Catalog, link: Link, sealed_bytes: int, connection: apsw.Connection
) -> Link:
    """Notes an ended segment, and folds a -wal that is mostly air into its database.

    A row of 100 bytes takes a frame of 4 KB; the database holds thirty of them in that.
    """
    if link.size < sealed_bytes * PACK_FACTOR:
        catalog.set_link(link)
        wal.cut(connection.filename_wal, link.size)
        return link
    link = link._replace(state=PACKED, size=sealed_bytes)
    catalog.set_link(link)
    fold_wal(connection)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)  # closing removes the -wal
    return link


def replay(
    path: str, keys: Keyring, anchor: Anchor, links: list[Link], after: int
) -> Iterator[tuple[int, memoryview]]:
    """Rows after `after`, verified with all of the newest VERIFY_BYTES, needed or not."""
    if after < anchor.turn:
        raise StoreDamaged(
            f"the journal begins with row {anchor.turn + 1}, row {after + 1} was dropped"
        )
    whole, left = len(links), VERIFY_BYTES
    while whole and links[whole - 1].size <= left:
        whole -= 1
        left -= links[whole].size
    previous = Tip(anchor.turn, anchor.tag, anchor.time_ms)
    for at, link in enumerate(links):
        if link.last > after or at >= whole:
            with Reader(path, link.number, packed=link.state == PACKED) as reader:
                first = reader.expect(keys, previous).first
                start = first if at >= whole else max(first, after + 1)
                for turn, row in _rows(reader, keys, link, start):
                    if turn > after:
                        yield turn, row
        previous = Tip(link.last, link.tag, link.time_ms)


def _rows(
    reader: Reader, keys: Keyring, link: Link, start: int
) -> Iterator[tuple[int, memoryview]]:
    """The rows of a segment from `start`, which must end as its link says."""
    reached = start - 1, b""
    for turn, row, tag in reader.rows(keys, start):
        reached = turn, tag
        yield turn, row
    if reached[0] < link.last:
        raise StoreDamaged(f"{reader.name}: row {reached[0] + 1} is missing")
    if reached != (link.last, link.tag):
        raise StoreDamaged(f"{reader.name}: row {link.last} should be its last row")


def _left_behind(reader: Reader, catalog: Catalog, tip: Tip) -> Link:
    """The link of a segment that the last owner was writing when it ended."""
    header = reader.expect(catalog.keys, tip)
    last = Tip(0, b"", 0)
    for turn, row, tag in reader.rows(catalog.keys, reader.last):
        last = Tip(turn, tag, row_time_ms(row))
    known, tag = catalog.head()
    if header.first <= known <= reader.last and reader.tag_of(known) != tag:
        raise StoreDamaged(f"{reader.name}: row {known} is not the one that was made durable")
    return Link(
        reader.number,
        ENDED,
        header.first,
        last.turn,
        last.tag,
        header.key_id,
        last.time_ms,
        reader.size,
    )


def _settle(reader: Reader, link: Link, catalog: Catalog) -> Link:
    with believing(reader.name):
        wal.settle(reader.path + "-wal", reader.size)
        return note_ended(catalog, link, reader.sealed_bytes, reader.connection)


def expect_there(path: str, link: Link, tip: Tip) -> None:
    """An ended segment is there, as long as it was, and goes on where the last one ended."""
    name = segment_name(link.number)
    file = os.path.join(path, name)
    if link.first != tip.turn + 1:
        raise StoreDamaged(f"{name} begins with row {link.first}, not {tip.turn + 1}")
    if not os.path.exists(file):
        raise StoreDamaged(f"{name} is missing with rows {link.first} to {link.last}")
    held = _length(file + "-wal")
    if link.state == ENDED and held < link.size:
        raise StoreDamaged(
            f"{name}-wal was cut to {held} bytes of {link.size}: rows up to {link.last} are missing"
        )


def _expect_head(catalog: Catalog, links: list[Link], tip: Tip) -> None:
    """The journal reaches as far as it was known to."""
    known, _tag = catalog.head()
    if known > tip.turn:
        last = segment_name(links[-1].number) if links else "the journal"
        raise StoreDamaged(f"{last} ends with row {tip.turn}, but row {known} was made durable")


def _expect_no_rows(path: str, number: int) -> None:
    """A file nobody noted is a segment that was never finished, or pages.db lost what it knew."""
    file = os.path.join(path, segment_name(number))
    if _length(file) <= PAGE_BYTES and _length(file + "-wal") <= wal.HEADER_BYTES:
        return
    with Reader(path, number, packed=True, noted=False) as reader:
        if reader.header is not None:
            raise StoreDamaged(
                f"{segment_name(number)} holds rows {reader.header.first} to {reader.last}, "
                "but pages.db does not know it: pages.db is older than the journal"
            )


def numbers_found(path: str) -> set[int]:
    names = os.listdir(os.path.join(path, JOURNAL))
    return {int(match[1]) for match in map(_FILE.fullmatch, names) if match}


def _length(path: str) -> int:
    """Bytes of a file; 0 without one."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
