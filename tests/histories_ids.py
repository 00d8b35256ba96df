"""Histories with request ids in them: attempts sent once, again, changed, too late, by another."""

import random
from collections.abc import Callable
from typing import Any

Step = tuple[Any, ...]
CHANGES: list[dict[str, Any]] = [{}] * 6 + [
    {"response": "000001"}, {"name": "nobody"}, {"platform": "portal"}, {"address": "192.0.2.77"},
]  # fmt: skip


def sent_again(rng: random.Random, words: Callable[[random.Random], Any]) -> list[Step]:
    """An attempt with an id, and what comes of it later."""
    n, steps = rng.randrange(4), []
    steps.append((0, "given", *words(rng), n, rng.choice(["tcp", "tcp", "portal"])))
    for _ in range(rng.choice([1, 1, 2, 3])):
        wait = rng.choice([0, 0, 1, 30_000, 59_999, 60_000, -1, -86_400_000])
        gateway = rng.choice(["tcp", "tcp", "tcp", "portal"])
        if rng.random() < 0.2:
            steps.append((wait, "verify", *words(rng)))
        elif rng.random() < 0.15:
            steps.append((wait, "given", *words(rng), n, gateway))
        else:
            steps.append((wait, "again", n, gateway, rng.choice(CHANGES)))
    return steps
