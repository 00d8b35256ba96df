"""Tombstones: what a removed device leaves, so that no code it had used is ever accepted again.

RULES section 4: a fingerprint of its key and the floor of its positions, kept as long as the
store, in 256 pages by the fingerprint's first byte.
"""

import struct

from watchword.devices.device import Device
from watchword.lifecycle import Floor
from watchword.store import Page

__all__ = ["Tombs"]

ENTRY = struct.Struct("<16sBxHxxxxqQ")


class Tombs:
    """Floors by fingerprint."""

    def __init__(self) -> None:
        self._floors: dict[bytes, list[Floor]] = {}
        self._changed: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._floors)

    def add(self, mark: bytes, floor: Floor) -> None:
        floors = [f for f in self._floors.get(mark, []) if f[:3] != floor[:3]]
        same = [f.moving for f in self._floors.get(mark, []) if f[:3] == floor[:3]]
        floors.append(floor._replace(moving=max([floor.moving, *same])))
        self._floors[mark] = floors
        self._changed.add(mark[0])

    def lift(self, mark: bytes, device: Device) -> int:
        """The least position a device with this key may accept."""
        return max((floor.lift(device) for floor in self._floors.get(mark, [])), default=0)

    def all_changed(self) -> None:
        self._changed.update(mark[0] for mark in self._floors)

    def dirty_pages(self, turn: int) -> list[Page]:
        changed, self._changed = sorted(self._changed), set()
        return [Page("tombstones", number, turn, self._image(number)) for number in changed]

    def _image(self, number: int) -> bytes:
        return b"".join(
            ENTRY.pack(mark, floor.kind, floor.period, floor.t0, floor.moving)
            for mark in sorted(self._floors)
            if mark[0] == number
            for floor in self._floors[mark]
        )

    def load(self, image: bytes | bytearray | memoryview) -> bool:
        """Reads a stored page. False when the bytes are not one."""
        if len(image) % ENTRY.size:
            return False
        for mark, kind, period, t0, moving in ENTRY.iter_unpack(image):
            self.add(mark, Floor(kind, period, t0, moving))
        return True

    def loaded(self) -> None:
        self._changed.clear()
