"""The n-th call on the disk fails, for n = 1, 2, 3, ... until a whole life needs no n-th call.

EIO and ENOSPC, once or from then on. Whatever went wrong, the store must have ended with
StoreFailed, must be dead from then on, and must open again with everything that was acknowledged.
The kinds of life: `birth` (a store is made), `life` (everything a store can do), `engine` (the load
of the other rigs), `copy` (a backup, whose failure must end nothing: the life goes on), and those
that must be found out: `hasty` promises a row before it is written, `forgiving` goes on after a
failure, `touchy` ends over a backup's. Runs in a process with tests/faults.c preloaded.
"""

import contextlib
import ctypes
import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from tests.faults import KEY, Contents, Pages, append, contents, copy, read, row, write
from watchword import Engine
from watchword.errors import Error, StoreDamaged, StoreFailed
from watchword.store import Store, open_store
from watchword.store.backup import Backup, copy_store
from watchword.store.sqlite import SqliteStore

from .copies import AGAIN, BACKUP
from .plants import broken
from .witness import Witness, answered, standing
from .workload import Work, abandon, reopen

__all__ = ["CODES", "HOWS", "KINDS", "sweep"]

CODES: Final = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
HOWS: Final = ("once", "on")
KINDS: Final = ("birth", "life", "engine", "copy")
LIVED: Final = ("engine", "copy", "touchy")  # by an engine
SMALL: Final = 30_000
STEPS: Final = 10
KEEPER_SECONDS_MAX: Final = 10.0


class Life(Protocol):
    """One life over a disk that may fail, and what it has been promised on the way."""

    @property
    def writing(self) -> bool:
        """It has begun to write: a failure from now on ends it."""

    def live(self, path: Path) -> None: ...
    def close(self) -> None: ...
    def settle(self) -> None: ...
    def expect_dead(self) -> None: ...
    def expect(self, path: Path, what: str) -> None: ...


class StoreLife:
    """A store by itself."""

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
        store.write_ahead(9.0)
        store.rotate()
        for _ in range(6):
            self._append(1)
        store.tick()
        store.write_ahead(9.0)
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

    def close(self) -> None:
        if self.store is not None:
            self.store.close()

    def settle(self) -> None:
        """It has no thread of its own."""

    def expect_dead(self) -> None:
        store = self.store
        if store is None:
            return
        for use in (
            lambda: append(store, 1, random.Random(1)),
            lambda: write(store, {("state", 0): (0, b"")}),
            store.tick,
            store.rotate,
        ):
            with must_fail():
                use()

    def expect(self, path: Path, what: str) -> None:
        """The store at rest holds what was acknowledged, and at most what was tried besides."""
        store = open_store(path, KEY)
        after = store.counters()["dropped_through"]
        found = read(store, after)
        assert after in (self.kept_after, 0) or after >= 5, what
        store.close()
        for turn, plain in self.rows.items():
            assert turn <= after or found.rows.get(turn) == plain, f"{what}: row {turn} is lost"
        for turn, plain in found.rows.items():
            assert self.tried[turn] == plain, f"{what}: row {turn} was never written"
        allowed = [self.pages, *({**self.pages, **pages} for pages in self.offered[-1:])]
        assert found.pages in allowed, f"{what}: pages are not what was acknowledged"


class EngineLife:
    """An engine under the load of every rig."""

    def __init__(self, before: Witness, seed: str, code: int, on: bool) -> None:
        self._on = on
        self._errors = (StoreFailed, StoreDamaged) if code == errno.EIO else (StoreFailed,)
        self._witness = Witness()
        self._witness.states, self._witness.keys = dict(before.states), dict(before.keys)
        self._promised = before.promises[-1].turn
        self._seed = seed
        self._work: Work | None = None
        self._engine: Engine | None = None

    @property
    def writing(self) -> bool:
        return self._work is not None and self._work.engine is not None

    def live(self, path: Path) -> None:
        work = self._work = Work(random.Random(self._seed + " life"), str(path), self._witness)
        work.serials, work.copy_errors = 500, self._errors
        self._live(work)

    def _live(self, work: Work) -> None:
        work.live(STEPS)

    def close(self) -> None:
        if self._work is not None and self._work.engine is not None:
            engine, self._work.engine = self._work.engine, None
            with contextlib.suppress(StoreFailed):
                engine.close()
            abandon(engine)

    def settle(self) -> None:
        """The keeper may have been in the midst of something; it ends by itself, and soon."""
        engine = self._work.engine if self._work is not None else None
        if engine is not None and engine._keeper is not None and engine._keeper._thread.is_alive():
            engine._keeper._thread.join(KEEPER_SECONDS_MAX)
            assert not engine._keeper._thread.is_alive(), "the keeper goes on over a dead store"

    def expect_dead(self) -> None:
        assert self._work is not None
        engine = self._work.engine
        assert engine is not None
        for use in (lambda: engine.verify("nobody", "000000"), lambda: engine.add_user("late")):
            with must_fail(Error):  # StoreFailed, or that it is closed when closing was what failed
                use()

    def expect(self, path: Path, what: str) -> None:
        self.close()
        engine = reopen(str(path))
        try:
            turn, used = answered(self._witness.promises)
            turn = max(turn, self._promised)
            self._witness.judge(engine._turn, standing(engine), turn, used)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error
        finally:
            abandon(engine)


class CopyLife(EngineLife):
    """A backup in the midst of it, of several segments."""

    def _live(self, work: Work) -> None:
        engine = work.open(kept=0.0)
        for _ in range(15):
            work.attempts(engine)
        try:
            work.copy(engine)
        except StoreFailed:  # from a commit: that of the note that there is a copy, or a later one
            made = os.path.exists(os.path.join(os.path.dirname(work.path), BACKUP))
            assert made or self._on, "a backup's failure has ended the store"
            raise
        for _ in range(3):
            work.attempts(engine)
        work.end(engine)


@contextlib.contextmanager
def must_fail(how: type[Error] = StoreFailed) -> Iterator[None]:
    try:
        yield
    except how:
        return
    raise AssertionError("the store lives on")


@contextlib.contextmanager
def forgiving(store: SqliteStore, what: str) -> Iterator[None]:
    """In the place of SqliteStore._or_fail: a failure is told and forgotten."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(str(error)) from error
    except Exception as error:
        raise StoreFailed(f"{what}: {error}") from error


def touchy(store: SqliteStore, *words: Any) -> Backup:
    """In the place of SqliteStore.backup: what goes wrong there ends the store."""
    with store._or_fail("be copied"):
        return copy_store(store._catalog, store._journal, *words[:2], store._alive)


class Sweep:
    """One kind of life over one kind of failure, for every `step`-th n."""

    def __init__(self, path: Path, code: int, how: str, kind: str, seed: str, step: int) -> None:
        self._library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._library.faults_arm.argtypes = [
            ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int
        ]
        self._library.faults_disarm.restype = ctypes.c_long
        self._path, self._code, self._on, self._kind = path, code, how == "on", kind
        self._seed, self._step = seed, step
        self._rng = random.Random(seed)
        self._contents, self._witness = Contents({}, {}), Witness()
        self._what = f"{kind}, error {code}, {'ever after' if self._on else 'once'}, seed {seed}"

    def run(self) -> int:
        """How many calls it let fail. Raises AssertionError at the first that went wrong."""
        self._template()
        n, tried = self._rng.randrange(self._step) + 1 - self._step, 0
        while True:
            n += self._step
            what = f"call {n}, {self._what}"
            if self._one(n, what):
                return tried
            tried += 1

    def _template(self) -> None:
        """A store with a past: ended segments, and one that a crash left open."""
        past, template = self._path / "past", self._path / "template"
        if self._kind in LIVED:
            work = Work(self._rng, str(past), self._witness)
            work.live(STEPS)
            engine = work.open()
            work.attempts(engine)
            abandon(engine)
            copy(past, template)
        elif self._kind != "birth":
            store = open_store(past, KEY, segment_bytes=SMALL)
            append(store, 5, self._rng)
            write(store, {("identity", 0): (3, b"first"), ("tombstones", 1): (5, b"second")})
            store.close()
            store = open_store(past, KEY)
            append(store, 2, self._rng)
            copy(past, template)
            store.close()
            self._contents = contents(copy(template, self._path / "look"))

    def _life(self) -> Life:
        if self._kind in LIVED:
            kind = EngineLife if self._kind == "engine" else CopyLife
            return kind(self._witness, self._seed, self._code, self._on)
        return StoreLife(self._contents, self._rng, hasty=self._kind == "hasty")

    def _one(self, n: int, what: str) -> bool:
        """One life in which the n-th call fails; whether it never came to an n-th call."""
        work = self._path / "work"
        if self._kind == "birth":
            clear(work)
        else:
            copy(self._path / "template", work)
        for name in (BACKUP, AGAIN):  # of the life before
            clear(self._path / name)
        life = self._life()
        self._library.faults_arm(str(work).encode(), n, self._code, int(self._on))
        failed = False
        try:
            life.live(work)
        except StoreFailed:
            failed = True
        except StoreDamaged:
            # What cannot be read is damaged, as far as one can see; reading ends nothing.
            assert self._code == errno.EIO, what
            failed = True
        except BaseException as error:
            raise AssertionError(f"{what}: {error!r}") from error
        if failed and (self._on or not life.writing):
            with contextlib.suppress(StoreFailed):
                life.close()
        calls = int(self._library.faults_disarm())
        if failed and life.writing:
            self._expect_dead(life, work, what)
        life.expect(work, what)
        return calls < n

    def _expect_dead(self, life: Life, work: Path, what: str) -> None:
        """A store that failed refuses without touching the disk."""
        life.settle()
        self._library.faults_arm(str(work).encode(), 1 << 60, 0, 0)
        try:
            life.expect_dead()
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error
        touched = int(self._library.faults_disarm())
        assert touched == 0, f"{what}: a dead store touched the disk {touched} times"
        life.close()


def clear(path: Path) -> None:
    """No store there."""
    shutil.rmtree(path, ignore_errors=True)


def sweep(path: Path, code: str, how: str, kind: str, seed: str, step: int) -> int:
    """See Sweep; by the names that a command line has."""
    changes = {"forgiving": ("_or_fail", forgiving), "touchy": ("backup", touchy)}
    with broken(*[(SqliteStore, *changes[kind])] if kind in changes else []):
        return Sweep(path, CODES[code], how, kind, seed, step).run()
