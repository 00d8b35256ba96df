"""Ended segments kept elsewhere: each a file of its own, its rows verified once more on the way.

A file has its name only when it is whole and durable. It brings its data key along, wrapped as in
the store, so that a backup from before a rotation can still be gone on with; the master key is
needed for it as for everything else. Names say the incarnation first: a store that was restored
counts its segments on from where the copy was made.
"""

import contextlib
import os
import re
from typing import TYPE_CHECKING, Final

from watchword.errors import NotFound, StoreDamaged, StoreFailed
from watchword.store.backup import Copy
from watchword.store.catalog import Catalog
from watchword.store.disk import sync_directory, unlink
from watchword.store.history import next_slice, open_row
from watchword.store.link import Link
from watchword.store.sealing import TAG_BYTES

if TYPE_CHECKING:
    from watchword.store.journal import Journal

__all__ = ["archive_segment", "archived"]

_NAME: Final = re.compile(r"([0-9a-f]+)-(\d{8})\.db")


def archived(place: str) -> set[tuple[int, int]]:
    """Incarnation and number of every segment that is kept there. Errors: NotFound, StoreFailed."""
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        raise NotFound(f"there is no directory {place} for the journal's archive") from None
    except OSError as error:
        raise StoreFailed(f"the journal's archive {place}: {error.strerror}") from error
    return {(int(m[1], 16), int(m[2])) for m in map(_NAME.fullmatch, names) if m}


def archive_segment(journal: "Journal", catalog: Catalog, link: Link, place: str) -> None:
    """One ended segment into the directory `place`. What goes wrong there does not end the store.

    Errors: StoreFailed, StoreDamaged.
    """
    keys = catalog.keys
    name = f"{keys.life_of(link.first):x}-{link.number:08d}.db"
    path = os.path.join(place, name)
    part = f"{name}.part"
    try:
        with contextlib.suppress(FileNotFoundError):
            unlink(os.path.join(place, part))
        _copy_rows(journal, catalog, link, place, part)
        os.rename(os.path.join(place, part), path)
        sync_directory(place)
    except OSError as error:
        raise StoreFailed(f"the journal's archive {place}: {error.strerror}") from error


def _copy_rows(
    journal: "Journal", catalog: Catalog, link: Link, place: str, part: str
) -> None:
    copy, keys, turn = None, catalog.keys, link.first - 1
    try:
        while turn < link.last:
            found = next_slice(journal, keys, turn + 1)
            if found is None or found.header.number != link.number:
                raise StoreDamaged(f"row {turn + 1} of the journal is missing")
            header, before = found.header, found.before
            cipher = keys.segment_cipher(header.key_id, header.number, header.salt, found.name)
            for row, blob in found.rows:
                plain = memoryview(bytearray(max(0, len(blob) - TAG_BYTES)))
                open_row(cipher, header, found.name, row, blob, before, plain)
                before = blob[-TAG_BYTES:]
            if copy is None:
                copy = Copy(place, header, part)
                copy.bring_key(catalog.wrapped_key(header.key_id))
            copy.add(found, link.last)
            turn = copy.last
        assert copy is not None, "an ended segment holds a row"
        copy.ended(link.time_ms)
    except BaseException:
        if copy is not None:
            copy.close()
        raise
    file = os.open(copy.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
