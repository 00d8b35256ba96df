"""Stores to break: how the store's tests fill one, copy one as a crash leaves it, and read one.

Nothing here looks into a store's files except to copy them; what a test breaks it breaks itself.
"""

import os
import random
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from watchword.store import Page, Store, open_store

KEY = bytes(range(1, 33))
ROW = struct.Struct("<4sHHIIqq")  # ww_row in ext/watchword.h

Pages = dict[tuple[str, int], tuple[int, bytes]]


class Contents(NamedTuple):
    """All a store says it holds."""

    rows: dict[int, bytes]
    pages: Pages


@contextmanager
def quick() -> Iterator[Path]:
    """A directory in memory where there is one: most tests ask for order, not for a disk."""
    memory = "/dev/shm"
    home = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="watchword-", dir=home) as place:
        yield Path(place)


def row(turn: int, size: int, rng: random.Random) -> bytes:
    """A journal row of 32 bytes and more; its time is its turn in seconds."""
    return ROW.pack(b"WWR1", 1, 0, 0, 0, turn, turn * 1000) + rng.randbytes(max(0, size - 32))


def append(store: Store, count: int, rng: random.Random, size: int = 100) -> dict[int, bytes]:
    """Appends rows one by one; what was acknowledged."""
    done = {}
    for turn in range(store.head + 1, store.head + 1 + count):
        done[turn] = row(turn, size, rng)
        store.append([(turn, done[turn])])
    return done


def keep_house(store: Store) -> None:
    """A tick, and all that is to be written ahead."""
    store.tick()
    while store.write_ahead(1.0):
        pass


def write(store: Store, pages: Pages) -> None:
    store.write_pages([Page(*place, *page) for place, page in pages.items()])


def read(store: Store, after: int = 0) -> Contents:
    """Everything, in the order and with the checks of an engine that starts."""
    pages = {(p.table, p.number): (p.turn, bytes(p.image)) for p in store.pages()}
    return Contents({turn: bytes(plain) for turn, plain in store.replay(after)}, pages)


def contents(path: Path, after: int = 0) -> Contents:
    """What a store at rest holds. Raises what opening it raises."""
    store = open_store(path, KEY)
    try:
        return read(store, after)
    finally:
        store.close()


def copy(source: Path, target: Path) -> Path:
    """The store's files as they are now: while it is open, what kill -9 would leave."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
