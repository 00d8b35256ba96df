"""Steps of tests/histories.py: where users come from, opting out, sharing, withdrawing."""

import random
from collections.abc import Callable
from typing import Any

IDENTITIES = (("1970-01-01", "Ann"), ("1980-02-02", "Bea"))
# Of the history's own addresses all, some or one; of others; and what holds them mapped into IPv6.
RANGES = ["own4", "own4", "own6", "one", "else", "mapped", "::/0", "0.0.0.0/0"]
CENTS = [1, 4_999_900, 5_000_000, 5_000_001, 10_000_000, 20_000_000, 60_000_000]
DAY_MS = 86_400_000


def entering(
    rng: random.Random, wait: int, attempt_words: Callable[[random.Random], tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """What is set of a user, asked for or taken back, and attempts that it matters to."""
    who, dice = rng.choice(["alice"] * 3 + ["bob"]), rng.random()
    _, typed, options = attempt_words(rng)
    empty = {**options, "device": None, "challenge": None}
    empty["first"] = rng.choice(["own", "own", "vouched", "vouched", "vouched", None, 1])
    if dice < 0.25:
        ranges = tuple(rng.choice(RANGES) for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3])))
        return [(wait, "set_addresses", who, ranges), (0, "verify", who, typed, options)]
    if dice < 0.45:
        steps: list[tuple[Any, ...]] = [(0, "set_addresses", who, ("own4", "own6"))]
        empty["address"] = rng.choice(["1", "1", "::1", None])
        out = [(wait, "opt_out", who), (0, "verify", who, "", empty)]
        return (steps if rng.random() < 0.7 else []) + out
    if dice < 0.6:
        return [(wait, "opt_in", who, (rng.randrange(2), rng.choice([0, 0, 0, 1, -1])), empty)]
    if dice < 0.7:
        return [(wait, "verify", who, "", empty)]
    if dice < 0.9:
        return sharing(rng, wait, options)
    later = rng.choice([0, 0, DAY_MS, 3 * DAY_MS, 5 * DAY_MS, -DAY_MS])
    return [(later, "withdraw", who, rng.choice(CENTS)) for _ in range(rng.choice([1, 2, 3]))]


def sharing(rng: random.Random, wait: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Two who are, or are not, one person; one device of theirs; and both try it."""
    who, other = rng.choice([("alice", "bob"), ("bob", "alice")])
    index, platform = rng.randrange(2), rng.choice(["portal", "portal", "trading"])
    same = {**options, "challenge": None, "session": None, "pin": None, "before": 0}
    same |= {"platform": platform, "realm": "live", "first": "own", "push": None, "device": None}
    told = rng.choice([(0, 0)] * 6 + [(0, 1), (0, None)])
    steps: list[tuple[Any, ...]] = [
        (0, "set_identity", name, which) for name, which in zip((who, other), told, strict=True)
    ]
    steps += temporary(random.Random(repr(rng.getstate())), who, other)
    near = rng.choice([0] * 5 + [1])
    steps.append((wait, "share", other, who, index, (index, near), same))
    for _ in range(rng.choice([0, 1, 2, 4])):
        name, at = rng.choice([(who, index), (other, rng.randrange(3))])
        steps.append((rng.choice([0, 0, 30_000]), "verify", name, (at, rng.choice([0, 1])), same))
    many = [(name, (index, rng.choice([0, 0, 1])), same) for name in (who, other, who)]
    if rng.random() < 0.5:
        steps.append((rng.choice([0, 60_000]), "verify_many", many))
    if rng.random() < 0.3:
        steps.append((0, "unshare", rng.choice([who, other]), rng.randrange(3)))
    return steps


def temporary(dice: random.Random, who: str, other: str) -> list[tuple[Any, ...]]:
    """What stands in the way of sharing, issued the moment before. Dice of its own, so that what a
    seed does besides stays what it was."""
    if dice.random() < 0.7:
        return []
    name, key = dice.choice([who, other]), dice.randrange(3)
    if dice.random() < 0.5:
        return [(0, "online_card", name, key)]
    words = {"kind": "passcode", "key": key, "label": "temporary-passcode"}
    return [(0, "add_device", name, words)]
