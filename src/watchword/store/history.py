"""The journal read while it is written: every durable row from one turn to another, in order.

Rules: whatever is read is verified as recovery verifies it, and a row that cannot be believed is
named. Of a segment that is being written no row is read but through its own connection, a slice at
a time under the segment's lock, so that a commit waits for a slice and no longer. Ended segments
are opened anew, one at a time. What is in memory is one slice of sealed rows and one row.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.errors import StoreDamaged, StoreFailed
from watchword.store.link import PACKED
from watchword.store.sealing import NONCE_BYTES, TAG_BYTES, Keyring
from watchword.store.segment import Header, Reader, Segment, Tip, slice_of

if TYPE_CHECKING:
    from watchword.store.journal import Journal

__all__ = ["Slice", "close_reader", "next_slice", "open_row", "rows_between"]

SLICE_BYTES: Final = 1 << 20  # of sealed rows: so long a commit may have to wait


class Slice(NamedTuple):
    """Sealed rows of one segment, in order, and what the first is chained to."""

    header: Header
    name: str
    before: bytes
    rows: list[tuple[int, bytes]]


def rows_between(
    journal: "Journal", keys: Keyring, after: int, through: int
) -> Iterator[tuple[int, memoryview, int]]:
    """Turn, plain row and number of its segment, from turn `after` + 1 to `through`.

    A row is good until the next step. Rows that were dropped meanwhile are passed over.
    Errors: StoreDamaged, StoreFailed.
    """
    buffer, turn = bytearray(), after
    try:
        while turn < through:
            turn = max(turn, journal.anchor.turn)
            found = next_slice(journal, keys, turn + 1)
            if found is None:
                return
            header, before = found.header, found.before
            cipher = keys.segment_cipher(header.key_id, header.number, header.salt, found.name)
            for turn, blob in found.rows:
                if turn > through:
                    return
                if len(blob) > len(buffer):
                    buffer[:] = bytes(len(buffer))
                    buffer = bytearray(len(blob))
                plain = memoryview(buffer)[: max(0, len(blob) - TAG_BYTES)]
                open_row(cipher, header, found.name, turn, blob, before, plain)
                before = blob[-TAG_BYTES:]
                yield turn, plain, header.number
    finally:
        buffer[:] = bytes(len(buffer))


def open_row(
    cipher: AESGCM, header: Header, name: str, turn: int, blob: bytes, before: bytes,
    plain: memoryview,
) -> None:  # fmt: skip
    try:
        cipher.decrypt_into((turn - header.first).to_bytes(NONCE_BYTES), blob, before, plain)
    except (InvalidTag, ValueError):
        raise StoreDamaged(f"{name}: row {turn} was altered, or is not in its place") from None


def next_slice(
    journal: "Journal", keys: Keyring, start: int, most_bytes: int = SLICE_BYTES
) -> Slice | None:
    """Sealed rows from `start` on, all of one segment, as they stand there: nothing is verified
    yet. None beyond the last one."""
    while True:
        current = journal.current
        for segment in (current, *tuple(journal.ended)):
            if _holds(segment, start):
                found = _from_live(segment, start, most_bytes)
                if found is not None:
                    return found
                break  # closed in between: now it is read like any other
        else:
            try:
                return _from_ended(journal, keys, start, most_bytes)
            except StoreDamaged:
                if journal.anchor.turn < start:
                    raise
                start = journal.anchor.turn + 1  # dropped a moment ago


def _holds(segment: Segment, turn: int) -> bool:
    header = segment.header
    return header is not None and header.first <= turn <= segment.last


def _from_live(segment: Segment, start: int, most_bytes: int) -> Slice | None:
    """Through the connection that writes it; None when that is closed by now."""
    with segment.lock:
        header = segment.header
        if segment.closed or header is None:
            return None
        before, rows = slice_of(segment.connection, segment.name, header, start, most_bytes)
    return Slice(header, segment.name, before, rows)


def _from_ended(
    journal: "Journal", keys: Keyring, start: int, most_bytes: int
) -> Slice | None:
    previous = Tip(journal.anchor.turn, journal.anchor.tag, journal.anchor.time_ms)
    for link in list(journal.links):
        if link.first <= start <= link.last:
            break
        previous = Tip(link.last, link.tag, link.time_ms)
    else:
        return None
    with journal.reading:
        if journal.closed:
            raise StoreFailed("the store was closed while its journal was read")
        reader = journal.reader
        if reader is None or reader.number != link.number:
            close_reader(journal)
            reader = Reader(journal.path, link.number, packed=link.state == PACKED)
            journal.reader = reader  # whoever reads goes on where it was, as a rule
        header = reader.expect(keys, previous)
        before, rows = slice_of(reader.connection, reader.name, header, start, most_bytes)
    if rows[-1][0] > link.last or (rows[-1][0] == link.last and rows[-1][1][-16:] != link.tag):
        raise StoreDamaged(f"{reader.name}: row {link.last} should be its last row")
    return Slice(header, reader.name, before, rows)


def close_reader(journal: "Journal") -> None:
    """Lets go of the ended segment that was read last."""
    reader, journal.reader = journal.reader, None
    if reader is not None:
        reader.connection.close()
