"""PINs in a story, at gateways: typed before a code, or said apart from it, beside a password that
is hashed, or where somebody vouches for the first factor.
"""

import random
from collections.abc import Sequence
from typing import Any

from tests.sim.asking import LAST
from tests.sim.doors import VOUCHES
from tests.sim.repins import PINS
from tests.sim.tears import POLICIES

__all__ = ["episode"]

Step = tuple[Any, ...]
PIN = PINS[0]
# How much of what is typed is said apart, and what is said in its place.
ALL = len(PIN)
APART = ((ALL, None), (2, None), (0, None), (0, PIN), (ALL, "0000"), (ALL, PIN + "1"))


def episode(rng: random.Random, users: Sequence[str]) -> list[Step]:
    """A device whose PIN is typed, a password, and what a gateway says of both; a crash, or another
    password, about that time."""
    who, platform = rng.choice(users), rng.choice(["trading", "portal"])
    tear = rng.choice((*POLICIES, "dropped", "killed")), rng.randrange(2**16)
    counts = {"kind": "hotp", "key": rng.randrange(4), "look_ahead": 3, "pin": PIN}

    def apart() -> Any:
        return rng.choice([None, *[APART[0]] * 5, *APART])

    def enters(by_id: bool = False) -> Step:
        typed = rng.choice([("shown", 0)] * 6 + [(LAST, "fresh"), (LAST, -1), ""])
        number = rng.choice([0, 1, VOUCHES, VOUCHES])
        word = rng.choice(["own"] * 4 + ["vouched", "vouched", 1])
        return "enter", number, who, typed, word, platform, by_id, apart()

    def between() -> list[Step]:
        return rng.choice([
            [], [], [("password", who, rng.randrange(2))], [("keep", ())], [("kill",)],
            [("crash", *tear, ())], [("change_pin", who, "own", rng.choice(PINS))],
        ])  # fmt: skip

    steps: list[Step] = [("room", True), ("keep", ()), ("accept_clock",)]
    steps += [("user", "add_user", who, "open", "live"), ("user", "unlock", who)]
    steps += [("remove_device", who, 0)] * rng.choice([1, 2, 4]) + [("add_device", who, counts)]
    steps += [("password", who, 0)] * (rng.random() < 0.8)
    for _ in range(rng.choice([1, 2, 3])):
        dice, number = rng.random(), rng.randrange(3)
        if dice < 0.45:
            steps += [enters() for _ in range(rng.choice([1, 2, 3]))]
            steps += [("pass",), *[("hash", rng.randrange(3))] * rng.choice([0, 1]), *between()]
        elif dice < 0.65:
            steps += [enters(by_id=True), ("settle",), *between()]
            steps += [("enter_again", rng.random() < 0.4)] * rng.choice([1, 2])
        elif dice < 0.8:
            old, new = rng.choice(["own"] * 4 + [0]), rng.randrange(3)
            words = who, ("shown", 0), old, new, platform, rng.choice([None, number])
            steps.append(("repass", *words, (), 0, apart()))
        elif dice < 0.9:
            out = [("addresses", who, ("10.0.0.0/8",)), ("opt_out", who)]
            steps += [*out, ("opt_in_by", number, who, (LAST, "fresh"), apart()), ("settle",)]
            steps.append(("addresses", who, ()))
        else:
            steps += [("ship", who, {**counts, "key": rng.randrange(4)}, 0, 0)]
            steps.append(("activate_by", number, who, LAST, apart()))
        steps += [("settle",)] * (rng.random() < 0.7)
    return [*steps, ("settle",), ("password", who, None)]
