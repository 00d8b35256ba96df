"""What the catalog keeps of a journal segment, and of the last row that is no longer there."""

import struct
from typing import Final, NamedTuple, Self

__all__ = ["ENDED", "MADE", "PACKED", "Anchor", "Link"]

_ANCHOR: Final = struct.Struct(">QQ16sIq")  # segment, turn, tag, key id, time_ms
_LINK: Final = struct.Struct(">BQQ16sIqQ")  # state, first, last, tag, key id, time_ms, bytes

MADE: Final = 1  # the file exists; whether it holds rows only the file knows
ENDED: Final = 2  # no row will be added; the rest of the link is known
PACKED: Final = 3  # ended, and its rows are moving or have moved from the -wal into the database


class Link(NamedTuple):
    """What the catalog knows of a segment."""

    number: int
    state: int = MADE
    first: int = 0
    last: int = 0
    tag: bytes = bytes(16)
    key_id: int = 0
    time_ms: int = 0
    size: int = 0  # bytes of its -wal that hold rows

    def packed(self) -> bytes:
        return _LINK.pack(*self[1:])

    @classmethod
    def unpacked(cls, number: int, body: bytes) -> Self:
        return cls(number, *_LINK.unpack(body))


class Anchor(NamedTuple):
    """The last row that is no longer there: what the first kept segment must follow."""

    number: int = 0
    turn: int = 0
    tag: bytes = bytes(16)
    key_id: int = 0
    time_ms: int = 0

    def packed(self) -> bytes:
        return _ANCHOR.pack(*self)

    @classmethod
    def unpacked(cls, body: bytes) -> Self:
        return cls(*_ANCHOR.unpack(body))
