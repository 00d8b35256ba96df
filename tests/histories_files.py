"""Files in random histories, for tests/histories.py: figures of another policy, and rows of users
and devices.
"""

import random
from collections.abc import Callable
from typing import Any

from watchword.reference import Figures


def policy_words(rng: random.Random, figures_of: Callable[[int], Figures]) -> dict[str, Any]:
    """Some figures that change, those of lockout more often than others."""
    other = vars(figures_of(rng.randrange(2**32)))
    names = rng.sample(sorted(other), rng.choice([1, 1, 3, len(other)]))
    return {name: other[name] for name in {*names, "lockout_failures"}}


def file_words(
    rng: random.Random, device_words: Callable[..., dict[str, Any]]
) -> tuple[list[Any], bool]:
    """Rows of a file: who, state, realm, a device or none, and its serial: its own, none, or one
    that the user has."""
    rows: list[Any] = []
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        who = rng.choice(["alice", "bob", "bob", "carol", "dave"])
        state = rng.choice(["", "", "", "open", "closed"])
        words = None
        if rng.random() < 0.8:
            words = device_words(rng, rng.choice(["totp", "hotp", "ocra", "card"]))
            if rng.random() < 0.2:
                words["state"] = rng.choice(["suspended", "lost", "shipped"])
            if words.get("drift_max") and rng.random() < 0.5:
                words["drift"] = rng.choice([-1, 1, words["drift_max"]])
        rows.append((who, state, rng.choice(["", "live"]), words, rng.choice([None] * 4 + ["", 0])))
        if rng.random() < 0.1:
            rows.append(rows[-1])
    return rows, rng.random() < 0.5
