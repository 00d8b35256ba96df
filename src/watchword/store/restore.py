"""A store made of a copy: a backup, or the files of a store as they once were.

The copy stays as it is. Everything happens in a directory beside the new store's place, which takes
its name when it is whole. Segments that were kept elsewhere go on where the copy's journal ends, as
far as the chain of their tags holds. Then a new incarnation begins, under a new data key: no nonce
can come again, and neither a page nor a row of the life that went on is believed here.
"""

import contextlib
import copy
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from typing import Final, NamedTuple

from watchword.errors import NotFound, StoreDamaged, StoreFailed
from watchword.keys import RawKey
from watchword.store.backup import SYNC_BYTES, Progress, remove_stage, rename, stage
from watchword.store.catalog import Catalog
from watchword.store.disk import believing, create_private, sync_directory, unlink
from watchword.store.link import ENDED, PACKED, Link
from watchword.store.owner import DATABASE, JOURNAL
from watchword.store.pages import Pages
from watchword.store.row import row_time_ms
from watchword.store.sealing import LIFE_BITS
from watchword.store.segment import Reader, Tip, segment_name
from watchword.store.sqlite import SEGMENT_BYTES, SqliteStore

__all__ = ["Staged", "staged"]

INCOMING: Final = "incoming"
_KEPT: Final = re.compile(r"(?:[0-9a-f]+-)?(\d{8})\.db")  # of an archive, or of a store's journal


class Staged(NamedTuple):
    """A store that has not got its name yet: where it is, and the last row it knows of."""

    path: str
    copied: Tip
    tip: Tip
    segments: int

    def take_name(self, to: str) -> None:
        for folder in (self.path, os.path.join(self.path, JOURNAL)):
            sync_directory(folder)
        rename(self.path, to)


@contextlib.contextmanager
def staged(
    backup: str, to: str, key: RawKey, journal: str | None, progress: Progress | None = None
) -> Iterator[Staged]:
    """The store of `backup` and of what is kept in `journal`, in a new incarnation, beside `to`;
    it is removed unless it takes its name within the block.

    Errors: NotFound, Exists, InvalidArgument, WrongKey, StoreDamaged, StoreFailed.
    """
    part = stage(to)
    try:
        _copy_files(backup, part, progress)
        _make_a_store(part, key)
        catalog = Catalog(part, key, create=False)
        try:
            links, pages = catalog.links(), Pages(catalog)
            anchor = catalog.anchor()
            copied = Tip(anchor.turn, anchor.tag, anchor.time_ms)
            if links:
                copied = Tip(links[-1].last, links[-1].tag, links[-1].time_ms)
            tip, more = _go_on(part, catalog, copied, journal) if journal else (copied, 0)
            _begin_life(catalog, pages, tip)
            catalog.checkpoint()
        finally:
            catalog.close()
        yield Staged(part, copied, tip, more)
    finally:
        if os.path.isdir(part):
            remove_stage(part)


def _copy_files(backup: str, part: str, progress: Progress | None) -> None:
    source = os.path.abspath(backup)
    if not os.path.isfile(os.path.join(source, DATABASE)):
        raise NotFound(f"there is no backup and no store at {backup}")
    names = [name for name in os.listdir(source) if name.startswith(DATABASE)]
    journal = os.path.join(source, JOURNAL)
    names += [os.path.join(JOURNAL, name) for name in sorted(os.listdir(journal))]
    sizes = [os.stat(os.path.join(source, name)).st_size for name in names]
    done = 0
    for name, size in zip(names, sizes, strict=True):
        _copy_file(os.path.join(source, name), os.path.join(part, name))
        done += size
        if progress is not None:
            progress(done, sum(sizes))


def _copy_file(source: str, to: str) -> None:
    """Private, and synced as it goes."""
    try:
        with open(source, "rb", buffering=0) as read:
            create_private(to)
            file = os.open(to, os.O_WRONLY | os.O_CLOEXEC)
            try:
                while piece := read.read(SYNC_BYTES):
                    while piece:
                        piece = piece[os.write(file, piece) :]
                    os.fsync(file)
            finally:
                os.close(file)
    except OSError as error:
        raise StoreFailed(f"{source} cannot be copied: {error.strerror}") from error


def _make_a_store(part: str, key: RawKey) -> None:
    """The copy opened once, as whoever made it would: everything in it is looked at."""
    catalog = Catalog(part, key, create=False, backup=True)
    try:
        with catalog.change() as cursor:
            cursor.execute("DELETE FROM note WHERE name='backup'")
        catalog.checkpoint()
    finally:
        catalog.close()
    SqliteStore(part, key, SEGMENT_BYTES).close()


# ---- rows kept elsewhere ---------------------------------------------------------------------


def _go_on(part: str, catalog: Catalog, tip: Tip, journal: str) -> tuple[Tip, int]:
    """Takes over every kept segment that follows, each verified whole; the new tip, how many."""
    if not os.path.isdir(journal):
        raise NotFound(f"there is no directory {journal} with a journal's segments")
    names = os.listdir(journal)
    found = [(int(match[1]), name) for name in names if (match := _KEPT.fullmatch(name))]
    incoming = os.path.join(part, JOURNAL, INCOMING)
    count = 0
    for number, name in sorted(found):
        last = catalog.links()[-1:]
        if last and number < last[0].number:
            continue
        os.makedirs(os.path.join(incoming, JOURNAL), mode=0o700, exist_ok=True)
        try:
            with _opened(journal, name, incoming, number) as reader:
                after = _taken(reader, catalog, tip)
            if after is not None:
                _move(part, incoming, reader, catalog)
                tip, count = after, count + 1
        finally:
            shutil.rmtree(incoming)
    return tip, count


@contextlib.contextmanager
def _opened(journal: str, name: str, incoming: str, number: int) -> Iterator[Reader]:
    """A copy of a kept segment, opened."""
    to = os.path.join(incoming, segment_name(number))
    source = os.path.join(journal, name)
    _copy_file(source, to)
    packed = not os.path.exists(source + "-wal")
    if not packed:
        _copy_file(source + "-wal", to + "-wal")
    with Reader(incoming, number, packed=packed, noted=False) as reader:
        yield reader


def _taken(reader: Reader, catalog: Catalog, tip: Tip) -> Tip | None:
    """The tip after a kept segment's rows; None where it does not go on from this one."""
    header, keys = reader.header, catalog.keys
    if header is None or header.store_id != keys.store_id or reader.last <= tip.turn:
        return None
    if header.incarnation != keys.life_of(header.first):
        return None  # of a life that this copy is not of
    if header.first > tip.turn + 1:
        raise StoreDamaged(
            f"row {tip.turn + 1} is missing: {reader.name} of the kept journal begins with row "
            f"{header.first}",
            hint="the journal's segments must go on where the backup ends",
        )
    links = [link for link in catalog.links() if link.number != reader.number]
    anchor = catalog.anchor()
    before = links[-1] if links else anchor
    previous = Tip(links[-1].last if links else anchor.turn, before.tag, before.time_ms)
    same = header.first > tip.turn or reader.tag_of(tip.turn) == tip.tag
    if not same:
        return None  # of a branch that this copy is not on
    reader.expect(keys, previous)
    catalog.adopt_key(reader.connection, header.key_id)
    after = tip
    for turn, row, tag in reader.rows(keys, header.first):
        after = Tip(turn, tag, row_time_ms(row))
    return after


def _move(part: str, incoming: str, reader: Reader, catalog: Catalog) -> None:
    """The segment in its place; the opening after this notes its end and settles it."""
    header = reader.header
    assert header is not None
    name = segment_name(reader.number)
    unlink(os.path.join(part, name))
    for end in ("-wal", ""):
        if os.path.exists(os.path.join(incoming, name + end)):
            os.rename(os.path.join(incoming, name + end), os.path.join(part, name + end))
    with believing(name):
        last = Tip(0, b"", 0)
        with Reader(part, reader.number, packed=True) as moved:
            for turn, row, tag in moved.rows(catalog.keys, moved.last):
                last = Tip(turn, tag, row_time_ms(row))
            state, size = (ENDED, moved.size) if moved.size else (PACKED, moved.sealed_bytes)
            catalog.set_link(Link(
                moved.number, state, header.first, last.turn, last.tag, header.key_id,
                last.time_ms, size,
            ))  # fmt: skip
    sync_directory(os.path.join(part, JOURNAL))


# ---- a new incarnation -----------------------------------------------------------------------


def _begin_life(catalog: Catalog, pages: Pages, tip: Tip) -> None:
    """Everything that is bound to an incarnation is bound to the next one, which begins with the
    row after `tip`."""
    old = catalog.keys
    with catalog.change():
        key_id = catalog.add_key()
        pages.seals = 0
        pages.note()
        catalog.set_head(tip.turn, tip.tag)
    own = copy.copy(old)
    own.incarnation = ((old.incarnation >> LIFE_BITS) + 1) << LIFE_BITS
    own.incarnation |= secrets.randbits(LIFE_BITS)
    own.lives = [*(old.lives or [(old.incarnation, 0)]), (own.incarnation, tip.turn + 1)]
    links = catalog.links()
    notes = {name: catalog.note(name) for name in catalog.note_names()}
    notes["lives"] = catalog.lives_body(own.lives)
    notes["pages"] = pages.sealed_anew(own, key_id)
    catalog.keys = own
    with catalog.change():
        catalog.set_store()
        for name, body in notes.items():
            catalog.set_note(name, body)
        for link in links:
            catalog.set_link(link)
