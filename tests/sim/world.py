"""One story played: an engine, its gateways and its machine, through calls, crashes and returns.

A step is a tuple, a verb and its words; each is a method `on_<verb>`. Whatever a step does, when
the machine is off afterwards nothing of it was seen, and the next life begins.
"""

import asyncio
import contextlib
import errno
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from tests.sim.acts import Acts
from tests.sim.asking import Asking
from tests.sim.attempts import Attempts
from tests.sim.awaiting import Awaiting
from tests.sim.calls import Machine
from tests.sim.changing import Changing
from tests.sim.checker import Asked, Checker
from tests.sim.disk import Fault
from tests.sim.doors import Doors
from tests.sim.engine import SimEngine
from tests.sim.entering import Entering
from tests.sim.files import Files, Passing
from tests.sim.given import Given
from tests.sim.guard import Guard
from tests.sim.knowing import Knowing
from tests.sim.lending import Lending
from tests.sim.living import Living
from tests.sim.looking import look_back
from tests.sim.passwords import Passwords
from tests.sim.phones import Phones
from tests.sim.pushing import Pushing
from tests.sim.repins import Repins
from watchword import StoreFailed
from watchword.errors import Error
from watchword.reference import Attempt, Figures
from watchword.store.sqlite import SqliteStore

__all__ = ["World"]

PATH, KEY = "/store", b"a key of 32 bytes for simulation"
ENDED_STEPS = 2  # how long an engine that ended is still asked
KILLED = "killed"  # a tear of its own: the process ends, the page cache stays
LIVES_MAX = 12  # openings that one crash may take: a fault, a crash, another, and then it is quiet
Step = tuple[Any, ...]


class World(
    Acts, Asking, Attempts, Awaiting, Changing, Entering, Files, Given, Knowing, Lending, Living,
    Passwords, Phones, Pushing, Repins, Doors,
):
    """`play` runs steps; BrokenError says what was broken."""

    def __init__(self, seed: int, figures: Figures) -> None:
        self.machine = Machine(seed)
        self.figures = Passing(**vars(figures))
        self.checker = Checker(self.figures, self.machine.clock.wall_ms)
        self.typed_last: dict[str, str] = {}
        self.shown: dict[str, str] = {}  # the id of the challenge a user was shown last
        self.questions: dict[str, tuple[str, str]] = {}  # id and text of what was asked last
        self.pushed: dict[str, list[tuple[str, int]]] = {}
        self.repinned: tuple[Attempt, str] | None = None
        self.twins: list[Any] = []
        self.claimed_last: tuple[Asked, str, int] | None = None
        self.signed: dict[str, int] = {}
        self.repassed: tuple[Attempt, str] | None = None
        self.entered_last: tuple[Asked, str, int] | None = None
        self.serials = self.addresses = self.ended_for = 0
        self.tear, self.again = ("kept", 0), deque[tuple[int, bool, str, int]]()
        self.meanwhile: list[Step] = []
        self.crashes = self.faults = self.struck = 0
        self.met: Counter[str] = Counter()  # what a story came across, by name

    # ---- lives

    def open(self) -> None:
        """Opens the store until it opens: what crashes on the way crashes again from there."""
        disk = self.machine.disk
        for _ in range(LIVES_MAX):
            struck = disk.struck
            try:
                self.engine = SimEngine.open(PATH, key=KEY, policy=self.given())
                break
            except StoreFailed as error:
                if not disk.off and disk.struck == struck:
                    self.checker.fail(f"the store does not open: {error}")
            except Error as error:
                if not disk.off:
                    self.checker.fail(f"the store does not open: {type(error).__name__}: {error}")
            if disk.off:
                self.met["a crash in recovery"] += 1
                self._return()
            else:
                self.met["a fault in recovery"] += 1
                disk.faults.clear()
                disk.respawn()
        else:
            self.checker.fail("the store does not open")
        self.waiting = self.engine.attended(self.checker)
        if self.engine._turn == 1:  # the policy that it was opened with, whenever that was
            self.checker.times_ms[1:2] = [self.engine._store.last_time_ms]
        last_ms = self.checker.times_ms[min(self.engine._turn, len(self.checker.times_ms) - 1)]
        self.checker.guard = Guard(self.machine.clock, last_ms, disk.free_bytes)
        self.checker.recovered(self.engine)
        self.ended_for, self.struck = 0, disk.struck
        self._watch_pages()
        self.connect_doors()

    def _watch_pages(self) -> None:
        """Between the copy of a page and its writing others go on."""
        real = self.engine._store.write_pages

        def write_pages(pages: Sequence[Any]) -> None:
            steps, self.meanwhile = self.meanwhile, []
            self.met["a turn amid a page"] += len(steps)
            for step in steps:
                self.step(step)
            real(pages)

        self.engine._store.write_pages = write_pages

    def leave(self) -> None:
        """The process is gone; whatever it still does reaches no disk."""
        disk, store = self.machine.disk, self.engine._store
        assert isinstance(store, SqliteStore)
        off, disk.off = disk.off, True
        for end in (store._journal.abandon, store._catalog.close, store._owner.release):
            with contextlib.suppress(Exception):
                end()
        disk.off = off
        for split in self.engine._splits.values():
            split.close()  # its threads
        self.engine.checker = None
        self.engine._keeper = None  # a cycle less for the collector
        self.gateways.clear()
        self.awaited.clear()
        self.loop.close()

    def crash(self) -> None:
        self.crashes += 1
        self.leave()
        self._return()
        self.open()

    def _return(self) -> None:
        """What comes after a crash: a machine with what the tear left, or the same machine."""
        self.met[f"a crash: {self.tear[0]}"] += 1
        if self.tear[0] == KILLED:
            self.machine.disk.respawn()
        else:
            self.machine.disk.reboot(*self.tear)
        self._arm_next()

    def _arm_next(self) -> None:
        """The crash that meets the recovery from this one."""
        if self.again:
            disk = self.machine.disk
            disk.crash_in, disk.crash_before, policy, seed = self.again.popleft()
            self.tear = policy, seed

    # ---- steps

    def play(self, steps: Sequence[Step]) -> None:
        with self.machine.installed():
            self.open()
            try:
                for step in (*steps, ("close",)):
                    self.step(step)
                    self._afterwards()
            finally:
                asyncio._set_running_loop(None)

    def step(self, step: Step) -> None:
        getattr(self, f"on_{step[0]}")(*step[1:])
        if self.checker.broken:
            self.checker.fail(self.checker.broken)

    def _afterwards(self) -> None:
        """What a step may have brought about: no machine any more, or an engine that ended."""
        self.meanwhile = []
        if self.machine.disk.off:
            self.crash()
        elif self.engine._ended is not None:
            if self.machine.disk.struck == self.struck:
                self.checker.fail(f"the engine ended, and the disk is sound: {self.engine._ended}")
            self.ended_for += 1
            if self.ended_for > ENDED_STEPS:
                self.exit()

    def exit(self) -> None:
        """A daemon whose store failed closes it, exits, and is started again."""
        self.faults += 1
        try:
            self.engine.close()
        except StoreFailed:
            self.leave()
        else:
            if not self.machine.disk.off:
                self.checker.fail("an engine that ended was closed without a word")
        if self.machine.disk.off:
            self.crash()
        else:
            self.machine.disk.respawn()
            self.open()

    def asked(self, call: Callable[[], Any]) -> Any:
        """What a call says, or None when nobody heard it: the machine or the engine ended."""
        engine, disk = self.engine, self.machine.disk
        ended = engine._ended is not None
        try:
            said = call()
        except Error as error:
            if engine._closed or engine is not self.engine:  # while this was hashed
                self.met["a call that met a close"] += 1
                return None
            if not isinstance(error, StoreFailed):
                raise
            if not disk.off and disk.struck == self.struck and not ended:
                self.checker.fail("the store failed, and the disk did not")
            said = None
        finally:
            self.checker.asking = self.checker.acting = None
        if disk.off:
            return None
        if (ended or engine._closed or engine is not self.engine) and said is not None:
            self.checker.fail(f"an engine that ended answered {said}")
        return said

    # ---- time and the machine

    def on_wait(self, ms: int) -> None:
        self.machine.clock.wait(ms)

    def on_jump(self, ms: int) -> None:
        self.machine.clock.jump(ms)

    def on_crash(self, policy: str, seed: int, again: Sequence[Any] = ()) -> None:
        self.tear, self.again = (policy, seed), deque(again)
        self.machine.disk.off = True

    def on_crash_in(
        self, n: int, before: bool, policy: str, seed: int, again: Sequence[Any] = ()
    ) -> None:
        self.tear, self.again = (policy, seed), deque(again)
        self.machine.disk.crash_in, self.machine.disk.crash_before = n, before

    def on_kill(self) -> None:
        """kill -9, and a new process on the same machine."""
        if not self.machine.disk.off:
            self.leave()
            self.machine.disk.respawn()
            self.open()

    def on_fault(self, kind: str, n: int, code: str, for_good: bool, lost: bool) -> None:
        self.machine.disk.faults = [Fault(kind, n, getattr(errno, code), for_good, lost)]

    def on_heal(self) -> None:
        self.machine.disk.faults.clear()

    def on_room(self, there: bool) -> None:
        self.machine.disk.free_bytes = 10 << 30 if there else 1 << 20

    def on_keep(self, meanwhile: Sequence[Step] = ()) -> None:
        """A pass of the keeper, and what others do between its copy of a page and the writing."""
        if self.engine._ended is None:
            assert self.checker.guard is not None
            self.meanwhile = list(meanwhile)
            self.checker.guard.looked_at(self.machine.disk.free_bytes)
            self.engine.keep()

    def on_close(self) -> None:
        """An orderly end: whoever is owed an answer hears it, then the store is closed."""
        self.settle()
        if self.engine._ended is not None or self.machine.disk.off:
            return
        look_back(self)
        if self.engine._ended is not None or self.machine.disk.off:
            return
        self.clients.abort()
        turn = self.engine._turn
        try:
            self.engine.close()
        except StoreFailed:
            if not self.machine.disk.off and self.machine.disk.struck == self.struck:
                self.checker.fail("the store failed at closing, and the disk did not")
        else:
            if not self.machine.disk.off:
                self.checker.acknowledge(turn)
        self.leave()
        if not self.machine.disk.off:
            self.machine.disk.respawn()
            self.open()
