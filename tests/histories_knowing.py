"""Steps of tests/histories.py: what users know is set, changed, asked and answered."""

import random
from collections.abc import Callable
from typing import Any

from histories_phones import PINS, decision_words, repinning

PIN = "4711"                    # of every device whose suite has P
PASSWORDS = ["correct horse", "battery staple"]
POOLS = [("pets", "Which pet?", "Rex"), ("cities", "Which city?", "San Diego"),
             ("schools", "Which school?", "St. Mary's")]  # fmt: skip
NOTHING = {
    "device": None, "address": None, "challenge": None, "session": None, "push": None,
    "pin": None, "before": 0, "first": None,
}  # fmt: skip

Step = tuple[Any, ...]


def knowing(
    rng: random.Random, wait: int, attempt_words: Callable[[random.Random], tuple[Any, ...]]
) -> list[Step]:
    """What users know is set, changed, asked and answered."""
    who, dice = rng.choice(["alice"] * 6 + ["bob"] * 3), rng.random()
    if dice < 0.12:
        return [(wait, "set_password", who, rng.choice([0, 0, 1, None]))]
    if dice < 0.22:
        return changing(rng, wait, who, attempt_words(rng)[1:])
    if dice < 0.3:
        return [(wait, "set_questions", who)]
    if dice < 0.4:
        return repinning(rng, wait, NOTHING)
    if dice < 0.6:
        _, typed, options = attempt_words(rng)
        old, new = (rng.choice([PIN, PIN, *PINS]) for _ in range(2))
        if rng.random() < 0.5:      # more often than by chance it is a device that has one
            typed, options = ("pinned", 0), {**NOTHING, "platform": "portal", "realm": "live"}
        return [(wait, "change_pin", who, typed, old, new, options)]
    who = rng.choice([who, who, who, "nobody", "Alice", "al_ice"])
    steps: list[Step] = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        if rng.random() < 0.9:
            steps.append((wait, "question", who, rng.randrange(2**64)))
        which = rng.choice([0] * 8 + [1, "another's", "f00", ""])
        said = rng.choice(["right", "right", "wrong", "wrong", ""])
        address = rng.choice([None, None, "1", "::1"])
        steps.append((rng.choice([0, 0, 1000]), "answer", who, which, said, address))
    return steps


def changing(
    rng: random.Random, wait: int, who: str, drawn: tuple[Any, dict[str, Any]]
) -> list[Step]:
    """A change of password: by the old one and a right answer more often than not, or by what a
    phone approved; and logins under the old one and the new. drawn: what else may be typed."""
    typed, options = drawn if rng.random() < 0.3 else ((rng.randrange(3), 0), NOTHING)
    platform = rng.choice(["portal"] * 3 + ["trading"])
    options = {**options, "platform": platform, "realm": "live", "session": None}
    options["first"] = rng.choice(["own"] * 5 + [0, 1])
    steps: list[Step] = [(0, "unlock", who)] if rng.random() < 0.5 else []
    if rng.random() < 0.5:
        steps.append((0, "set_password", who, rng.choice([0, 1])))
    if rng.random() < 0.3:
        asked = {"platform": platform, "purpose": None, "device": None}
        right = who, 0, "approve", 0, "pin", "own"
        decided = rng.choice([right, right, decision_words(rng, who)])
        steps += [(wait, "push", who, asked), (0, "decide_push", *decided)]
        options |= {"push": 0, "device": None}
        typed, wait = rng.choice(["", "", "", typed]), rng.choice([0, 0, 0, 60_000])
    change = "change_password", who, typed, rng.choice([0, 1]), options
    steps += [(wait, *change)] * rng.choice([1, 1, 1, 2])
    if rng.random() < 0.2:      # what a phone approves changes no PIN
        steps.append((0, "change_pin", who, typed, rng.choice([PIN, *PINS]), PINS[1], options))
    for _ in range(rng.choice([0, 1, 2])):
        login = {**NOTHING, "platform": platform, "realm": "live"}
        login["first"] = rng.choice(["own", "own", 0, 1])
        steps.append((0, "verify", who, (rng.randrange(3), rng.choice([0, 1])), login))
    return steps
