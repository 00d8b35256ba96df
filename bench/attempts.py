"""Users and attempts as columns, drawn from a seed: the same ones for whoever asks.

A field is a number of users with names and keys; a pass is attempts on some of them at one moment.
Passes are numbered and lie 25 hours apart: by then the failures of the one before count no longer,
so that a pass of wrong codes meets no locks as long as nobody fails ten times within it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.peers.stdlib import code_of
from watchword import Code

Column = np.ndarray[Any, Any]

START_S = 1_700_000_000
APART_S = 25 * 3600
STEP_S = 30
KEY_BYTES = 20
TRIES = 8  # of one user in one pass: the tenth failure locks
PASSES_MAX = 11  # of wrong codes on one engine, each user TRIES times: the cap is a hundred


def digits(numbers: Column, width: int) -> Column:
    """Numbers as decimal text of that width, an 'S' column."""
    out = np.empty((len(numbers), width), np.uint8)
    rest = numbers.astype(np.uint32)
    for at in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, np.uint32(10))
        out[:, at] = digit + 48
    return out.view(f"S{width}").ravel()


@dataclass(frozen=True)
class Pass:
    """Attempts at one moment: who, and what was answered."""

    number: int
    time_s: int
    users: Column
    codes: Column

    def first(self, count: int) -> Pass:
        return Pass(self.number, self.time_s, self.users[:count], self.codes[:count])


class Field:
    """A number of users, by a seed."""

    def __init__(self, users: int, seed: int) -> None:
        self.users, self.seed = users, seed

    @cached_property
    def names(self) -> Column:
        return digits(np.arange(self.users, dtype=np.uint32), 10)

    @cached_property
    def keys(self) -> Column:
        text = np.random.default_rng([self.seed, self.users]).bytes(KEY_BYTES * self.users)
        return np.frombuffer(text, np.uint8).reshape(self.users, KEY_BYTES)

    def key(self, user: int) -> bytes:
        return bytes(self.keys[user].tobytes())

    def wrong(self, number: int, count: int) -> Pass:
        """Codes at random, each user once before any comes again. One in some 300,000 is right:
        whoever runs them looks at those."""
        rng, time_s = self._moment(number, "wrong")
        return Pass(number, time_s, self._draw(rng, count), self._codes(rng, count))

    def hot(self, number: int) -> Pass:
        """The same few users again and again, TRIES times each, wildly mixed."""
        rng, time_s = self._moment(number, "hot")
        few = self._draw(rng, min(self.users, 1000))
        users = rng.permutation(np.repeat(few, TRIES))
        return Pass(number, time_s, users, self._codes(rng, len(users)))

    def right(self, number: int, count: int) -> Pass:
        """The code of the middle step, for as many different users."""
        rng, time_s = self._moment(number, "right")
        users = self._draw(rng, min(count, self.users))
        codes = [code_of(self.key(user), time_s // STEP_S) for user in users.tolist()]
        return Pass(number, time_s, users, np.array(codes, "S6"))

    def window(self, user: int, time_s: int) -> list[str]:
        """The codes that are right, by the standard library."""
        return [code_of(self.key(user), time_s // STEP_S + k) for k in (-1, 0, 1)]

    def _moment(self, number: int, kind: str) -> tuple[np.random.Generator, int]:
        rng = np.random.default_rng([self.seed, self.users, number, len(kind)])
        return rng, START_S + number * APART_S + int(rng.integers(STEP_S))

    def _draw(self, rng: np.random.Generator, count: int) -> Column:
        if count <= self.users:
            return rng.choice(self.users, count, replace=False)
        whole = -(-count // self.users)
        return np.concatenate([rng.permutation(self.users) for _ in range(whole)])[:count]

    def expect(self, done: Pass, verdicts: Column, wanted: Code) -> list[int]:
        """Where another verdict than the wanted one was given: rightly, or the run ends."""
        odd: list[int] = np.flatnonzero(verdicts != wanted).tolist()
        for at in odd:
            window = self.window(int(done.users[at]), done.time_s)
            right = done.codes[at].decode() in window
            if wanted != Code.REJECTED or verdicts[at] != Code.ACCEPTED or not right:
                raise SystemExit(f"{Code(verdicts[at]).name} where {wanted.name} was due")
        return odd

    @staticmethod
    def _codes(rng: np.random.Generator, count: int) -> Column:
        return digits(rng.integers(0, 1_000_000, count, np.uint32), 6)
