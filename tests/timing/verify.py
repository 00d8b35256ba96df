"""How long `verify` takes on an engine that keeps nothing, by class of attempt, for users of one
kind of device (kinds.py).

The same rules as in clock.c: random order, everything laid out beforehand, few users that come
again and again, others in every epoch. The engine's clock goes on by itself, a millisecond for some
attempts, so that whoever is locked stays locked and nobody else has ten failures within the window.
"""

import gc
import random
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from time import perf_counter_ns

import numpy as np

from tests.timing.kinds import KINDS, PERIOD_S, STEP
from tests.timing.welch import Column
from watchword import Code, Delivery, Engine, Policy, Verdict

__all__ = ["CLASSES", "classes_of", "measured"]

CLASSES = ("wrong", "used", "unknown", "locked", "length")

USERS = 16  # of each class
PER_MS = 8  # attempts in a millisecond of the users' time: one user's visits are some 10 apart
WINDOW_MS = 30  # between one visit and ten
EPOCH = 1 << 17
WARM = 16_384
CHUNK = 4_096

Verify = Callable[[str, str], Verdict]
Ask = tuple[str, str]


def classes_of(kind: str) -> tuple[str, ...]:
    return (*CLASSES, "pin") if kind == "pin" else CLASSES


class Users:
    """One epoch's engine. Classes that differ in what is typed share their users."""

    def __init__(self, rng: random.Random, kind: str = "totp") -> None:
        self._kind = kind
        self._phone: SimpleQueue[Delivery] = SimpleQueue()
        self._asked = 0
        self._begun = False
        self._rng = rng
        policy = Policy(lockout_window_ms=WINDOW_MS, failures_cap=None)
        self.engine = Engine.open(
            clock=self._now, entropy=rng.randbytes, policy=policy, deliver=self._phone.put
        )
        self.asks: dict[str, list[Ask]] = {name: [] for name in classes_of(kind)}
        members = ["open"] * 3 * USERS + ["unknown"] * USERS + ["locked"] * USERS
        rng.shuffle(members)
        for member in members:
            self._enrol(member)
        self._begun = True
        self._visits = dict.fromkeys(("open", "unknown", "locked"), 0)

    def _now(self) -> int:
        self._asked += self._begun
        return STEP * PERIOD_S * 1000 + self._asked // PER_MS

    def _enrol(self, member: str) -> None:
        user = f"u{self._rng.randrange(10**10):010}"
        self.engine.add_user(user)
        typed = KINDS[self._kind](self.engine, user, self._rng, self._phone)
        if member == "unknown":
            self.engine.remove_user(user)
            self.asks["unknown"].append((user, typed["used"]))
            return
        if member == "locked":
            self.asks["locked"].append((user, typed["used"]))
            for _ in range(10):
                self.engine.verify(user, typed["wrong"])
            return
        for name, text in typed.items():
            self.asks[name].append((user, text))

    def ask(self, name: str) -> Ask:
        """The next attempt of a class: each user of its pool in turn."""
        pool = name if name in ("unknown", "locked") else "open"
        self._visits[pool] += 1
        asks = self.asks[name]
        return asks[self._visits[pool] % len(asks)]


def measured(
    count: int, seed: int, wrapped: Callable[[Users], Verify] | None = None, kind: str = "totp"
) -> Iterator[tuple[Column, Column]]:
    """Columns of nanoseconds and of classes, an epoch at a time, `count` in all or some more.

    wrapped: what is timed in place of an epoch's engine, for the control.
    """
    rng, done, names = random.Random(seed), 0, classes_of(kind)
    while done < count:
        users = Users(rng, kind)
        verify = users.engine.verify if wrapped is None else wrapped(users)
        times, classes = [], []
        enough = min(EPOCH, count - done + WARM)
        for start in range(0, enough, CHUNK):
            chunk = np.random.default_rng(rng.getrandbits(64)).integers(0, len(names), CHUNK)
            order = chunk.tolist()
            asks = [users.ask(names[number]) for number in order]
            spent, last = _timed(verify, asks)
            due = Code.LOCKED if names[order[-1]] == "locked" else Code.REJECTED
            assert start < WARM or last.code == due, last
            if start >= WARM:
                times.append(np.array(spent, np.float64))
                classes.append(chunk)
        users.engine.close()
        done += sum(map(len, times))
        yield np.concatenate(times), np.concatenate(classes)


def _timed(verify: Verify, asks: list[Ask]) -> tuple[list[int], Verdict]:
    """Nothing but two looks at the clock around each call. The collector rests meanwhile."""
    spent = [0] * len(asks)
    clock = perf_counter_ns
    gc.collect()
    gc.disable()
    for at, (user, typed) in enumerate(asks):
        before = clock()
        last = verify(user, typed)
        spent[at] = clock() - before
    gc.enable()
    return spent, last
