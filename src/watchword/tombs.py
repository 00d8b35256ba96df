"""Tombstones: what a removed device leaves, so that no code it had used is ever accepted again.

RULES section 4: a fingerprint of its key and the floor of its positions, kept as long as the
store, in 256 pages by the fingerprint's first byte.
"""

import struct

from watchword.lifecycle import Floor, Shows
from watchword.store import Page

__all__ = ["Tombs"]

ENTRY = struct.Struct("<16sB?HxxxxqQ")


class Tombs:
    """Floors by fingerprint."""

    def __init__(self) -> None:
        self._pages: list[dict[bytes, list[Floor]]] = [{} for _ in range(256)]
        self._changed: set[int] = set()

    def __bool__(self) -> bool:
        return any(self._pages)

    def add(self, mark: bytes, floor: Floor) -> None:
        page = self._pages[mark[0]]
        floors = page.get(mark, [])
        same = [f for f in floors if f[:3] == floor[:3]]
        page[mark] = [f for f in floors if f[:3] != floor[:3]]
        moving = max([floor.moving, *(f.moving for f in same)])
        resync = any(f.resync for f in (floor, *same))
        page[mark].append(floor._replace(moving=moving, resync=resync))
        self._changed.add(mark[0])

    def lift(self, mark: bytes, device: Shows) -> int:
        """The least position a device with this key may accept. Errors: as Floor.lift."""
        return max((floor.lift(device) for floor in self._pages[mark[0]].get(mark, [])), default=0)

    def all_changed(self) -> None:
        self._changed.update(number for number in range(256) if self._pages[number])

    def dirty_pages(self, turn: int, most: int) -> list[Page]:
        """Up to `most` changed pages; they count as clean from now on."""
        numbers = sorted(self._changed)[:most]
        self._changed.difference_update(numbers)
        return [Page("tombstones", number, turn, self._image(number)) for number in numbers]

    def _image(self, number: int) -> bytes:
        page = self._pages[number]
        return b"".join(
            ENTRY.pack(mark, floor.kind, floor.resync, floor.period, floor.t0, floor.moving)
            for mark in sorted(page)
            for floor in page[mark]
        )

    def load(self, image: bytes | bytearray | memoryview) -> bool:
        """Reads a stored page. False when the bytes are not one."""
        if len(image) % ENTRY.size:
            return False
        for mark, kind, resync, period, t0, moving in ENTRY.iter_unpack(image):
            self.add(mark, Floor(kind, period, t0, moving, resync))
        return True

    def loaded(self) -> None:
        self._changed.clear()
