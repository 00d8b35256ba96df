"""What a store may know of a row and a page before it seals them: order, and the row's time.

The layout of the header is `ww_row` in ext/watchword.h; a store reads its time and no more.
"""

import struct
from collections.abc import Sequence
from typing import Final

from watchword.errors import InvalidArgument
from watchword.store.seam import TABLES, Page

__all__ = ["ROW_BYTES_MAX", "expect_next", "expect_written", "row_time_ms"]

ROW_BYTES_MAX: Final = 64 << 20  # beyond any turn's records: 8,192 attempts of 18 units are 4.7 MB
PAGE_NUMBER_MAX: Final = (1 << 31) - 1

_HEADER: Final = struct.Struct("<4s20xq")  # magic, version, counts and turn skipped, time_ms
_MAGIC: Final = b"WWR1"


def row_time_ms(row: bytes | bytearray | memoryview) -> int:
    """The time in the row's header, milliseconds since 1970; 0 when it has none."""
    if len(row) < _HEADER.size:
        return 0
    magic, time_ms = _HEADER.unpack_from(row)
    return int(time_ms) if magic == _MAGIC else 0


def expect_next(rows: Sequence[tuple[int, bytes | bytearray | memoryview]], head: int) -> None:
    """Turns go up by ones from the head, or the journal would have a hole."""
    for place, (turn, row) in enumerate(rows, head + 1):
        if turn != place:
            raise InvalidArgument(f"turn {turn} cannot follow turn {place - 1} in the journal")
        if len(row) > ROW_BYTES_MAX:
            raise InvalidArgument(f"a row of {len(row)} bytes is over {ROW_BYTES_MAX}")


def expect_written(pages: Sequence[Page], head: int) -> None:
    """The write-ahead rule: a page holds nothing that the journal does not hold durably."""
    for page in pages:
        if page.table not in TABLES:
            raise InvalidArgument(f"table must be one of {', '.join(TABLES)}, not {page.table!r}")
        if not 0 <= page.number <= PAGE_NUMBER_MAX:
            raise InvalidArgument(f"page number {page.number} is not 0 to {PAGE_NUMBER_MAX}")
        if not 0 <= page.turn <= head:
            raise InvalidArgument(
                f"table {page.table}, page {page.number} is from turn {page.turn}, "
                f"but the journal is durable through {head} only"
            )
