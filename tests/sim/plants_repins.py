"""Bugs planted where a phone of several users gets another PIN; plants.py has others."""

from collections.abc import Iterator
from typing import Any

from tests.sim.planting import Put, plant
from tests.sim.plants_entry import RECORD_BYTES
from watchword import changes, lifecycle
from watchword.reference import Event
from watchword.store import sqlite


@plant
def pin_for_whoever_asked(put: Put) -> None:
    """A phone's PIN is another for the user who changed it, and for no other."""
    put(changes, "phone_lines", lambda core, slot, device: [(slot, device)])


@plant
def change_before_its_turn(put: Put) -> None:
    """A change of PIN is told, and applied, before the record of it is durable."""
    real = changes.Changes._attempt_then

    def attempt_then(self: Any, *words: Any) -> Any:
        self._wait = lambda turn: None
        try:
            return real(self, *words)
        finally:
            del self._wait

    put(changes.Changes, "_attempt_then", attempt_then)


@plant
def others_pin_forgotten_at_reopen(put: Put) -> None:
    """Of a row with several changes of PIN recovery knows the first."""
    real = sqlite.SqliteStore.replay

    def replay(self: Any, after: int) -> Iterator[Any]:
        for turn, plain in real(self, after):
            image, first = bytearray(plain), b""
            at = lifecycle.HEADER.size + lifecycle.HEADER.unpack_from(image)[3]
            while at < len(image):
                end = at + RECORD_BYTES * (1 + image[at + 3])
                if image[at] == Event.PIN:
                    first = first or bytes(image[at:end])
                    image[at:end] = first
                at = end
            yield turn, memoryview(image)

    put(sqlite.SqliteStore, "replay", replay)
