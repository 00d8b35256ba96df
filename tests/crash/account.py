"""One user of the kill rig, and what an oracle of a few lines knows of him.

Only one gateway asks about him, over one connection at a time, so that the order is known: the
store may have come back in the state of the answered attempts and of some first few of those
without an answer, and in no other. Every other attempt carries a request id.
"""

import base64
import hashlib
import random
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import pyotp

from tests.served import frame

__all__ = ["CAP", "LOCKOUT", "LOOK_AHEAD", "Account", "State"]

LOCKOUT = 10
CAP = 100
LOOK_AHEAD = 3
WRONG = "wrong"
TOLD_KEPT = 8
AGAIN_SECONDS_MAX = 45.0    # an id is remembered for 60: younger ones alone are sent again


class State(NamedTuple):
    """A user as far as a model of a dozen lines knows it."""

    moving: int = 0
    failures: int = 0
    charged: int = 0  # the device's own failures: at the cap it is suspended and tries no code

    def after(self, counter: int | None) -> tuple[str, "State"]:
        """The verdict on the code of a counter (None: on a wrong one), and what it leaves."""
        suspended = self.charged >= CAP
        right = counter is not None and counter >= self.moving and not suspended
        moving = counter + 1 if right and counter is not None else self.moving
        charged = min(self.charged + 1, CAP)
        if self.failures >= LOCKOUT:
            return "LOCKED", State(moving, self.failures, charged)
        if not right:
            return "REJECTED", State(moving, self.failures + 1, charged)
        return "ACCEPTED", State(moving, 0, 0)

    def unlocked(self) -> "State":
        return State(self.moving, 0, 0 if self.charged >= CAP else self.charged)


class Asked(NamedTuple):
    """An attempt: the code of a counter, or a wrong one; its request id, or none; and when."""

    counter: int | None
    id: str
    sent_s: float

    @property
    def may_be_again(self) -> bool:
        return bool(self.id) and time.monotonic() - self.sent_s < AGAIN_SECONDS_MAX


class Account:
    """One user."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = hashlib.sha256(name.encode()).digest()
        self._codes = pyotp.HOTP(base64.b32encode(self.key).decode(), digits=8)
        self.known = State()
        self.open: list[Asked] = []  # attempts without an answer, in the order they were sent
        self.again = 0  # how often an id was sent a second time
        self._hoped = State()  # what the open attempts lead to
        self._told: deque[tuple[Asked, str]] = deque(maxlen=TOLD_KEPT)
        self._asked = 0
        self._left: list[Asked] = []  # without an answer when the daemon went
        self._before = State()  # of what had one
        self._firsts: dict[int, State] = {}  # so many of them were decided before, and led to this
        self._waits: tuple[Asked, str] | int | None = None

    def command(self, counter: int | None) -> bytes:
        self._asked += 1
        id = f"{self.name}, {self._asked:08}" if self._asked % 2 else ""
        self.open.append(Asked(counter, id, time.monotonic()))
        self._hoped = self._hoped.after(counter)[1]
        return self._frame(self.open[-1])

    def _frame(self, asked: Asked) -> bytes:
        code = WRONG if asked.counter is None else self._at(asked.counter)
        return frame("VERIFY", self.name, code, *(("ID", asked.id) if asked.id else ()))

    def _at(self, counter: int) -> str:
        return self._codes.at(counter)

    def attempt(self, rng: random.Random) -> bytes:
        """A right code, a used one, or a wrong one."""
        dice = rng.random()
        if dice < 0.6 or (self._hoped.failures >= LOCKOUT - 2 and dice < 0.9):
            return self.command(self._hoped.moving)
        if dice < 0.8 and self._hoped.moving > 0:
            return self.command(self.used(rng.randrange(self._hoped.moving)))
        return self.command(None)

    def used(self, counter: int) -> int | None:
        """A used counter, unless its code comes again among those that would be right now."""
        ahead = range(self._hoped.moving, self._hoped.moving + LOOK_AHEAD + 1)
        return counter if all(self._at(counter) != self._at(right) for right in ahead) else None

    def answered(self, verdict: str) -> None:
        before, asked = self.known, self.open.pop(0)
        expected, self.known = before.after(asked.counter)
        assert verdict == expected, (
            f"{self.name}: answered {verdict}, not {expected}: {before}, the code of "
            f"{asked.counter}"
        )
        if asked.id:
            self._told.append((asked, verdict))

    # ---- when the daemon is there again ----

    def found(self, moving: int, failures: int, charged: int, locked: bool) -> None:
        """The state the store came back in must be one that the unanswered attempts allow."""
        states = [self.known]
        for asked in self.open:
            states.append(states[-1].after(asked.counter)[1])
        seen = State(moving, LOCKOUT if locked else failures, charged)
        assert seen in states, f"{self.name}: came back as {seen}, may be {states}"
        self._firsts = {n: state for n, state in enumerate(states) if state == seen}
        self._before, self._left = self.known, self.open
        self.known, self.open, self._hoped = seen, [], seen

    def sent_again(self) -> Iterator[bytes]:
        """What carried an id, sent again; each answer goes to answered_again."""
        for told in self._told:
            if told[0].may_be_again:
                self._waits = told
                yield self._frame(told[0])
        for n, asked in enumerate(self._left):
            if asked.may_be_again:
                self._waits = n
                yield self._frame(asked)

    def answered_again(self, verdict: str) -> None:
        self.again += 1
        if isinstance(self._waits, tuple):
            asked, before = self._waits
            assert verdict == before, f"{self.name}: {asked.id} was {before} and is {verdict}"
            return
        assert isinstance(self._waits, int)
        n = self._waits
        asked, first = self._left[n], self._verdicts()[n]
        fits: dict[int, State] = {}
        for decided, state in self._firsts.items():
            expected, after = (first, state) if n < decided else state.after(asked.counter)
            if verdict == expected:
                fits[decided] = after
        assert fits, (
            f"{self.name}: {asked.id}, which was {first} if it was decided, is {verdict} now: "
            f"{self._firsts}"
        )
        self._firsts = fits

    def _verdicts(self) -> list[str]:
        """What the attempts that were left came to, where they were decided before."""
        verdicts, state = [], self._before
        for asked in self._left:
            verdict, state = state.after(asked.counter)
            verdicts.append(verdict)
        return verdicts

    def stands(self, moving: int, failures: int, charged: int, locked: bool) -> None:
        """After all that nothing moved twice."""
        seen = State(moving, LOCKOUT if locked else failures, charged)
        possible = list(self._firsts.values())
        assert seen in possible, f"{self.name}: sent again it became {seen}, may be {possible}"
        self.known = self._hoped = seen
        self._left = []

    def unlocked(self) -> None:
        self.known = self._hoped = self.known.unlocked()
