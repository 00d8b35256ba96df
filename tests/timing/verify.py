"""How long `verify` takes on an engine that keeps nothing, by class of attempt.

The same rules as in clock.c: random order, everything laid out beforehand, few users that come
again and again, others in every epoch. The engine's clock goes on by itself, a millisecond for some
attempts, so that whoever is locked stays locked and nobody else has ten failures within the window.
"""

import gc
import random
from collections.abc import Callable, Iterator
from time import perf_counter_ns

import numpy as np

from tests.timing.welch import Column
from watchword import Code, Device, Engine, Policy, Verdict, totp

__all__ = ["CLASSES", "measured"]

CLASSES = ("wrong", "used", "unknown", "locked", "length")
EXPECTED = dict.fromkeys(CLASSES, Code.REJECTED) | {"locked": Code.LOCKED}

USERS = 16  # of each class
PERIOD_S = 3600
STEP = 450_000
PER_MS = 8  # attempts in a millisecond of the users' time: one user's visits are some 10 apart
WINDOW_MS = 30  # between one visit and ten
EPOCH = 1 << 17
WARM = 16_384
CHUNK = 4_096

Verify = Callable[[str, str], Verdict]
Ask = tuple[str, str]


class Users:
    """One epoch's engine. Classes that differ in what is typed share their users."""

    def __init__(self, rng: random.Random) -> None:
        self._asked = 0
        self._begun = False
        self._rng = rng
        policy = Policy(lockout_window_ms=WINDOW_MS, failures_cap=None)
        self.engine = Engine.open(clock=self._now, entropy=rng.randbytes, policy=policy)
        self.asks: dict[str, list[Ask]] = {name: [] for name in CLASSES}
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
        user, key = f"u{self._rng.randrange(10**10):010}", self._rng.randbytes(20)
        right = totp(key, STEP * PERIOD_S, period=PERIOD_S)
        if member == "unknown":
            self.asks["unknown"].append((user, right))
            return
        self.engine.add_user(user)
        self.engine.add_device(user, Device.totp(key, period=PERIOD_S))
        assert self.engine.verify(user, right)
        if member == "locked":
            self.asks["locked"].append((user, right))
            for _ in range(10):
                self.engine.verify(user, right)
            return
        self.asks["wrong"].append((user, f"{(int(right) + 1) % 10**6:06}"))
        self.asks["used"].append((user, right))
        self.asks["length"].append((user, right[:5]))

    def ask(self, name: str) -> Ask:
        """The next attempt of a class: each user of its pool in turn."""
        pool = name if name in ("unknown", "locked") else "open"
        self._visits[pool] += 1
        asks = self.asks[name]
        return asks[self._visits[pool] % len(asks)]


def measured(
    count: int, seed: int, wrapped: Callable[[Users], Verify] | None = None
) -> Iterator[tuple[Column, Column]]:
    """Columns of nanoseconds and of classes, an epoch at a time, `count` in all or some more.

    wrapped: what is timed in place of an epoch's engine, for the control.
    """
    rng, done = random.Random(seed), 0
    while done < count:
        users = Users(rng)
        verify = users.engine.verify if wrapped is None else wrapped(users)
        times, classes = [], []
        enough = min(EPOCH, count - done + WARM)
        for start in range(0, enough, CHUNK):
            chunk = np.random.default_rng(rng.getrandbits(64)).integers(0, len(CLASSES), CHUNK)
            order = chunk.tolist()
            asks = [users.ask(CLASSES[number]) for number in order]
            spent, last = _timed(verify, asks)
            assert start < WARM or last.code == EXPECTED[CLASSES[order[-1]]], last
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
