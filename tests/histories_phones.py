"""Histories in which phones say something: who is enrolled, what is decided, which PIN is next."""

import random
from typing import Any

Step = tuple[Any, ...]
PINS = ["4711", "8255", "0815"]


def decision_words(rng: random.Random, who: str) -> tuple[Any, ...]:
    """Whose push, which, whether it is approved, under how wrong a number, and by which phone."""
    decision = rng.choice(["approve"] * 3 + ["deny"])
    unlocked = rng.choice(["pin", "biometric"])
    phone = rng.choice(["own"] * 6 + ["another's"])
    return who, rng.choice([0] * 6 + [1]), decision, rng.choice([0, 0, 0, 1]), unlocked, phone


def enrol_words(rng: random.Random) -> tuple[Any, ...]:
    """Who, which of two phones, with which PIN, and whether the token is right."""
    who = rng.choice(["alice"] * 3 + ["bob", "nobody"])
    return who, rng.randrange(2), rng.choice(["4711"] * 4 + ["0815"]), rng.random() < 0.8


def repinning(rng: random.Random, wait: int, plain: dict[str, Any]) -> list[Step]:
    """A phone's PIN is changed by one of its users, and both log in by hand afterwards. plain: an
    attempt's options, when there are none."""
    who = rng.choice(["alice", "bob"])
    asked = {"sms": False, "platform": "portal", "purpose": None, "device": "phone",
             "question": None, "client_question": None}  # fmt: skip
    options = {**plain, "platform": "portal", "realm": "live", "challenge": 0}
    old, new = rng.choice(["own"] * 5 + ["0000"]), rng.choice(PINS)
    steps: list[Step] = [
        (wait, "challenge", who, asked), (0, "change_pin", who, (0, 0), old, new, options),
    ]  # fmt: skip
    for other in rng.sample(["alice", "bob"], rng.randrange(3)):
        steps += [(0, "challenge", other, asked), (0, "verify", other, (0, 0), options)]
    return steps
