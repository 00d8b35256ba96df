"""How long `verify` takes on an engine that keeps nothing, by class of attempt, for users of one
kind of device (kinds.py): `python -m tests.timing.verify TARGET COUNT SEED` writes what clock.c
writes.

The same rules as there: random order, everything laid out beforehand, few users that come again
and again, each once in a round, among many who never do; others in every epoch. The engine's clock
goes on by itself, a millisecond for some attempts, so that whoever is locked stays locked and
nobody else has ten failures within the window.
"""

import gc
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from time import perf_counter_ns

import numpy as np

from tests.timing.kinds import KINDS, PERIOD_S, STEP
from tests.timing.welch import Column
from watchword import Code, Delivery, Engine, Policy, Verdict

__all__ = ["CLASSES", "PLANTED", "classes_of"]

CLASSES = ("wrong", "used", "unknown", "locked", "length")

USERS = 8  # of each class
BETWEEN = 25  # who are never asked for, between one of them and the next
PER_MS = 4  # attempts in a millisecond of the users' time: one user's visits are some 10 apart
WINDOW_MS = 30  # between one visit and ten
EPOCH = 1 << 15
WARM = 8_192
CHUNK = 4_096

Verify = Callable[[str, str], Verdict]
Ask = tuple[str, str]

PLANTED = " with a plant"  # ends the name of a target that is a control


def classes_of(kind: str) -> tuple[str, ...]:
    return (*CLASSES, "pin") if kind == "pin" else CLASSES


class Users:
    """One epoch's engine. Classes that differ in what is typed share their users."""

    def __init__(self, rng: random.Random, kind: str = "totp") -> None:
        self._kind = KINDS[kind]
        self._phone: SimpleQueue[Delivery] = SimpleQueue()
        self._asked = 0
        self._begun = False
        self._rng = rng
        policy = Policy(lockout_window_ms=WINDOW_MS, failures_cap=None)
        self.engine = Engine.open(
            clock=self._now, entropy=rng.randbytes, policy=policy, deliver=self._phone.put
        )
        self.names = classes_of(kind)
        self.asks: dict[str, list[Ask]] = {name: [] for name in self.names}
        self._typed = [name for name in self.names if name not in ("unknown", "locked")]
        members = ["open"] * 3 * USERS + ["unknown"] * USERS + ["locked"] * USERS
        rng.shuffle(members)
        self._people = [(member, self._enrol(member)) for member in members]
        self._round: list[tuple[str, int]] = []
        self._begun = True

    def _now(self) -> int:
        self._asked += self._begun
        return STEP * PERIOD_S * 1000 + self._asked // PER_MS

    def _enrol(self, member: str) -> int:
        """Where his asks stand. Among many, so that names that do not exist borrow the devices of
        users nobody asks for."""
        for _ in range(BETWEEN):
            self.engine.add_user(other := f"u{self._rng.randrange(10**10):010}")
            self._kind(self.engine, other, self._rng, self._phone)
        user = f"u{self._rng.randrange(10**10):010}"
        self.engine.add_user(user)
        typed = self._kind(self.engine, user, self._rng, self._phone)
        if member == "unknown":
            self.engine.remove_user(user)
            typed = {"unknown": typed["used"]}
        elif member == "locked":
            for _ in range(10):
                self.engine.verify(user, typed["wrong"])
            typed = {"locked": typed["used"]}
        for name, text in typed.items():
            self.asks[name].append((user, text))
        return len(self.asks[name]) - 1

    def next(self) -> tuple[int, Ask]:
        """The class of the next attempt and what is asked: everybody once in a round, in any
        order."""
        if not self._round:
            self._round = self._rng.sample(self._people, len(self._people))
        member, at = self._round.pop()
        name = self._rng.choice(self._typed) if member == "open" else member
        return self.names.index(name), self.asks[name][at]


def leaky(users: Users) -> Verify:
    """A door that refuses whom it does not know without asking the engine."""
    verify = users.engine.verify
    refused = verify(*users.asks["wrong"][0])
    known = {user for name in ("wrong", "locked") for user, _ in users.asks[name]}

    def looks_first(user: str, typed: str) -> Verdict:
        return verify(user, typed) if user in known else refused

    return looks_first


def compares_first(users: Users) -> Verify:
    """A door that looks at the first character, and asks the engine where that is right."""
    verify = users.engine.verify
    refused = verify(*users.asks["wrong"][0])
    first = {user: text[0] for name in ("wrong", "locked") for user, text in users.asks[name]}

    def looks_first(user: str, typed: str) -> Verdict:
        return verify(user, typed) if first.get(user, typed[0]) == typed[0] else refused

    return looks_first


def measured(
    kind: str, count: int, seed: int, plant: Callable[[Users], Verify] | None
) -> Iterator[tuple[Column, Column]]:
    """Columns of nanoseconds and of classes, a chunk at a time, `count` in all or some more."""
    rng, done = random.Random(seed), 0
    while done < count:
        users = Users(rng, kind)
        verify = users.engine.verify if plant is None else plant(users)
        enough = min(EPOCH, count - done + WARM)
        for start in range(0, enough, CHUNK):
            classes, asks = zip(*(users.next() for _ in range(CHUNK)), strict=True)
            spent, last = _timed(verify, asks)
            due = Code.LOCKED if users.names[classes[-1]] == "locked" else Code.REJECTED
            assert start < WARM or last.code == due, last
            if start >= WARM:
                done += CHUNK
                yield np.array(spent), np.array(classes)
        users.engine.close()


def _timed(verify: Verify, asks: Sequence[Ask]) -> tuple[list[int], Verdict]:
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


def main(target: str, count: str, seed: str) -> None:
    kind = target.removesuffix(PLANTED).removeprefix("verify").strip() or "totp"
    plant = None
    if target.endswith(PLANTED):
        plant = leaky if kind == "totp" else compares_first
    for columns in measured(kind, int(count), int(seed), plant):
        sys.stdout.buffer.write(np.stack(columns, 1).astype(np.uint32).tobytes())
    sys.stderr.write("1.0")  # nanoseconds of a tick


if __name__ == "__main__":
    main(*sys.argv[1:])
