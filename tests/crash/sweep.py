"""The process in which the disk fails (faults.c is preloaded): the n-th call goes wrong, for one n
in STEP from a random first one, until a whole life of a store needs no n-th call any more.

Whatever went wrong, the store must have ended with StoreFailed, must be dead from then on, and must
open again with everything it had acknowledged. Arguments: the library, a directory to work in, the
error's number, "once" or "on", "life", "birth" or
"hasty" (a life whose owner promises too early), and a seed. Prints how many calls
it let fail.
"""

import contextlib
import ctypes
import errno
import os
import random
import sys
from pathlib import Path

from faults import KEY, Contents, Pages, append, contents, copy, read, row, write

from watchword.errors import StoreDamaged, StoreFailed
from watchword.store import Store, open_store

SMALL = 30_000
STEP = int(os.environ.get("WATCHWORD_FAULTS_STEP") or 6)  # 1: every call, as before a release


class Life:
    """One life of a store, and what it has been promised on the way."""

    def __init__(self, before: Contents, rng: random.Random, *, hasty: bool) -> None:
        self.rows = dict(before.rows)
        self.tried = dict(before.rows)
        self.pages = dict(before.pages)
        self.offered: list[Pages] = []
        self.kept_after = 0
        self.store: Store | None = None
        self.writing = False
        self._rng = rng
        self._hasty = hasty

    def live(self, path: Path) -> None:
        store = self.store = open_store(path, KEY, segment_bytes=SMALL)
        read(store)
        self.writing = True
        for _ in range(3):
            self._append(1)
        self._append(3)
        self._write()
        store.tick()
        store.rotate()
        for _ in range(6):
            self._append(1)
        store.tick()
        self._write()
        store.drop_before(6)
        self.kept_after = store.counters()["dropped_through"]
        store.retire()
        store.tick()
        store.close()

    def _append(self, count: int) -> None:
        assert self.store is not None
        head = self.store.head
        batch = {turn: row(turn, 90, self._rng) for turn in range(head + 1, head + 1 + count)}
        self.tried |= batch
        if self._hasty:
            self.rows |= batch
        self.store.append(list(batch.items()))
        self.rows |= batch

    def _write(self) -> None:
        assert self.store is not None
        turn = self.store.head
        pages = {(table, 0): (turn, self._rng.randbytes(9000)) for table in ("identity", "state")}
        self.offered.append(pages)
        write(self.store, pages)
        self.pages |= pages

    def expect(self, path: Path, what: str) -> None:
        """The store at rest holds what was acknowledged, and at most what was tried besides."""
        store = open_store(path, KEY)
        after = store.counters()["dropped_through"]
        found = read(store, after)
        assert after in (self.kept_after, 0) or after >= 5, what
        store.close()
        for turn, plain in self.rows.items():
            assert turn <= after or found.rows[turn] == plain, f"{what}: row {turn} is lost"
        for turn, plain in found.rows.items():
            assert self.tried[turn] == plain, f"{what}: row {turn} was never written"
        allowed = [self.pages, *({**self.pages, **pages} for pages in self.offered[-1:])]
        assert found.pages in allowed, f"{what}: pages are not what was acknowledged"


def dead(life: Life, library: ctypes.CDLL, path: Path, what: str) -> None:
    """A store that failed refuses without touching the disk."""
    store = life.store
    if store is None:
        return
    library.faults_arm(str(path).encode(), 1 << 60, 0, 0)
    for use in (
        lambda: append(store, 1, random.Random(1)),
        lambda: write(store, {("state", 0): (0, b"")}),
        store.tick,
        store.rotate,
    ):
        try:
            use()
        except StoreFailed:
            continue
        raise AssertionError(f"{what}: the store lives on")
    touched = library.faults_disarm()
    assert touched == 0, f"{what}: a dead store touched the disk {touched} times"
    store.close()


def template(path: Path, rng: random.Random) -> Contents:
    """A store with a past: an ended segment, and one that a crash left open."""
    store = open_store(path / "past", KEY, segment_bytes=SMALL)
    append(store, 5, rng)
    write(store, {("identity", 0): (3, b"first"), ("tombstones", 1): (5, b"second")})
    store.close()
    store = open_store(path / "past", KEY)
    append(store, 2, rng)
    copy(path / "past", path / "template")
    store.close()
    return contents(copy(path / "template", path / "look"))


def sweep(library: ctypes.CDLL, path: Path, code: int, on: int, kind: str, seed: str) -> int:
    rng = random.Random(seed)
    before = Contents({}, {}) if kind == "birth" else template(path, rng)
    n, tried = rng.randrange(STEP) + 1 - STEP, 0
    while True:
        n += STEP
        what = f"call {n}, error {code}, {'ever after' if on else 'once'}, seed {seed}"
        work = path / f"work{n}"
        if kind != "birth":
            copy(path / "template", work)
        life = Life(before, rng, hasty=kind == "hasty")
        library.faults_arm(str(work).encode(), n, code, on)
        failed = False
        try:
            life.live(work)
        except StoreFailed:
            failed = True
        except StoreDamaged:
            # What cannot be read is damaged, as far as one can see; reading ends nothing.
            assert code == errno.EIO, what
            failed = True
        except BaseException as error:
            raise AssertionError(f"{what}: {error!r}") from error
        if failed and life.store is not None and (on or not life.writing):
            with contextlib.suppress(StoreFailed):
                life.store.close()
        calls = library.faults_disarm()
        if failed and life.writing:
            dead(life, library, work, what)
        life.expect(work, what)
        if calls < n:
            return tried
        tried += 1


def main() -> None:
    name, path, code, how, kind, seed = sys.argv[1:]
    library = ctypes.CDLL(name)
    library.faults_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    library.faults_disarm.restype = ctypes.c_long
    print(sweep(library, Path(path), int(code), int(how == "on"), kind, seed))


if __name__ == "__main__":
    main()
