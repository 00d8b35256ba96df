"""How long the access list takes over a token that is refused, by class: in process, where nothing
hides a difference.

The same rules as in verify.py: random order, laid out beforehand, another list in every epoch. What
is measured is Roll.by_token over a full list: AUTH does nothing else that depends on what was said.
"""

import gc
import random
from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any

import numpy as np

from tests.timing.welch import Column, Weighed, weighed
from watchword.serve.gateways import GATEWAYS_MAX, Access, digest, new_token
from watchword.serve.roll import Roll

__all__ = ["APART_NS_MAX", "CLASSES", "asked", "leaky"]

CLASSES = ("wrong", "unknown", "another's", "shorter", "begins right", "ends right")
APART_NS_MAX = 500.0  # a hundredth of what a look at a full list takes
EPOCH = 1 << 14
WARM = 1 << 10
Ask = tuple[bytes, bytes]
ByToken = Callable[[bytes, bytes, str, str], object]


class Rows:
    """What a gather is told of gateways."""

    names, gateways = b"", 0


class Doors:
    """One epoch's list."""

    def __init__(self, rng: random.Random) -> None:
        made = [(f"gateway-{n:03}", *new_token()) for n in rng.sample(range(1_000), GATEWAYS_MAX)]
        self.roll = Roll(
            [Access(name=name, token_sha256=kept) for name, _, kept in made],
            Rows(), {},  # type: ignore[arg-type]
        )  # fmt: skip
        self._listed = [(name.encode(), token.encode()) for name, token, _ in made]
        self._rng = rng

    def ask(self, name: str) -> Ask:
        rng = self._rng
        (called, token), (_, others) = rng.sample(self._listed, 2)
        nobody = bytes(rng.choices(b"abcdefgh", k=len(token)))
        if name == "unknown":
            return b"gateway-" + bytes(rng.choices(b"abcdefgh", k=3)), nobody
        half = len(token) // 2
        return called, {
            "wrong": nobody, "another's": others, "shorter": nobody[1:],
            "begins right": token[:half] + nobody[half:],
            "ends right": nobody[:half] + token[half:],
        }[name]  # fmt: skip


def leaky(doors: Doors) -> ByToken:
    """The control: a list that looks a name up, and at no token where there is none."""
    kept = {name: digest(token) for name, token in doors._listed}
    return lambda name, token, *_: name in kept and digest(token) == kept[name]


def asked(
    count: int, seed: int, wrapped: Callable[[Doors], ByToken] | None = None
) -> list[Weighed]:
    """Every class against the first; `count` measurements of each pair, or some more."""
    columns = list(_columns(count // 2 * len(CLASSES), seed, wrapped))
    times, classes = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return weighed(times, classes, CLASSES)


def _columns(
    count: int, seed: int, wrapped: Callable[[Doors], ByToken] | None
) -> Iterator[tuple[Column, Column]]:
    rng, done = random.Random(seed), 0
    while done < count:
        doors = Doors(rng)
        by_token = doors.roll.by_token if wrapped is None else wrapped(doors)
        drawn = np.random.default_rng(rng.getrandbits(64)).integers(0, len(CLASSES), EPOCH)
        asks = [doors.ask(CLASSES[number]) for number in drawn.tolist()]
        spent = _timed(by_token, asks)
        done += EPOCH - WARM
        yield np.array(spent[WARM:], np.float64), drawn[WARM:]


def _timed(by_token: ByToken, asks: list[Ask]) -> list[int]:
    spent: list[Any] = [0] * len(asks)
    clock = perf_counter_ns
    gc.collect()
    gc.disable()
    for at, (name, token) in enumerate(asks):
        before = clock()
        found = by_token(name, token, "", "")
        spent[at] = clock() - before
        assert not found
    gc.enable()
    return spent
