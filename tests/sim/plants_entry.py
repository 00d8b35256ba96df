"""Bugs planted where users enter by other roads than a device; and rows changed on their way back.

plants.py has the others.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.sim.planting import Put, plant
from watchword import lifecycle, withdrawals
from watchword.reference import Event, Verdict
from watchword.store import sqlite

__all__ = ["RECORD_BYTES", "replayed"]

RECORD_BYTES: Final = 32
TEXT_AT: Final = 28      # of ww_record: lock_ms, bytes of text in the tail


def replayed(change: Callable[[bytearray, int], None]) -> Callable[[Any, int], Iterator[Any]]:
    """Replay with every record of every row changed on its way."""
    real = sqlite.SqliteStore.replay

    def replay(self: Any, after: int) -> Iterator[Any]:
        for turn, plain in real(self, after):
            image = bytearray(plain)
            at = lifecycle.HEADER.size + lifecycle.HEADER.unpack_from(image)[3]
            while at < len(image):
                change(image, at)
                at += RECORD_BYTES * (1 + image[at + 3])
            yield turn, memoryview(image)

    return replay


@plant
def restriction_forgotten_at_reopen(put: Put) -> None:
    """Recovery lets users come from anywhere."""

    def change(image: bytearray, at: int) -> None:
        if image[at] == Event.ADDRESSES:
            image[at + TEXT_AT : at + RECORD_BYTES] = bytes(4)

    put(sqlite.SqliteStore, "replay", replayed(change))


@plant
def sharing_forgotten_at_reopen(put: Put) -> None:
    """Recovery does not know an owner's device for shared: its codes are its own again."""

    def change(image: bytearray, at: int) -> None:
        if image[at] == Event.SHARE:
            image[at + 1] = Verdict.NOT_PERMITTED

    put(sqlite.SqliteStore, "replay", replayed(change))


@plant
def limit_looked_at_alone(put: Put) -> None:
    """What a gateway reports is held against the limit and not counted."""
    real = lifecycle.withdrawal

    def withdrawal(user: int, cents: int, *words: Any) -> bytes:
        return real(user, 0, *words)

    put(withdrawals.lifecycle, "withdrawal", withdrawal)
