"""The life of devices in random histories, for tests/histories.py: shipped, activated, replaced,
and moments that come while others log in.

Dice of their own, so that what a seed does besides stays what it was.
"""

import random
from collections.abc import Callable
from typing import Any

__all__ = ["LIFE", "with_life"]

Step = tuple[Any, ...]
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SOON = [1, 1_000, 60_000, HOUR_MS, DAY_MS, 21 * DAY_MS]
LIFE = {"auto_activate_ms": [21 * DAY_MS, 60_000, HOUR_MS, None],
        "online_card_ms": [21 * DAY_MS, 60_000, 600_000]}  # fmt: skip
NOTHING = {
    "device": None, "address": None, "challenge": None, "session": None, "push": None,
    "pin": None, "before": 0, "first": "own", "realm": "live", "platform": "portal",
}  # fmt: skip


def with_life(
    seed: int, steps: list[Step], device_words: Callable[..., dict[str, Any]]
) -> list[Step]:
    """The steps of a history, and in some of them devices that come and go."""
    rng = random.Random(f"life {seed}")
    if rng.random() < 0.5:
        return steps
    for _ in range(rng.choice([1, 2, 4, 6])):
        at = rng.randrange(1, len(steps) + 1)
        steps[at:at] = episode(rng, device_words)
    return steps


def episode(rng: random.Random, device_words: Callable[..., dict[str, Any]]) -> list[Step]:
    who, dice, wait = rng.choice(["alice"] * 3 + ["bob"]), rng.random(), rng.choice([0, 0, *SOON])
    before: list[Step] = []
    if rng.random() < 0.5:
        words = {"kind": "passcode", "key": rng.randrange(3), "label": "temporary-passcode"}
        before.append((0, "add_device", who, words))
    if dice < 0.35:
        before.append((0, "ship_device", who, post(rng, device_words), dates_words(rng)))
    elif dice < 0.6:
        before.append((0, "online_card", who, rng.randrange(3)))
    elif dice < 0.75:
        states = ["lost", "lost", "returned", "ended", "active", "active"]
        before.append((
            0, "replace_device", who, rng.randrange(3), post(rng, device_words),
            rng.choice(states), rng.choice([0, 0, *SOON]),
        ))  # fmt: skip
    elif dice < 0.85:
        before.append((0, "set_dates", who, rng.randrange(3), dates_words(rng)))
    else:
        states = ["active", "active", "suspended", "lost", "returned", "ended"]
        before.append((0, "set_device", who, rng.randrange(4), rng.choice(states)))
    after = [activating(rng, who, wait) for _ in range(rng.choice([0, 1, 1, 2]))]
    return before + [step for steps in after for step in steps] + typing(rng, who)


def post(rng: random.Random, device_words: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """A device that comes by post."""
    words = device_words(rng, rng.choice(["totp", "hotp", "hotp", "ocra", "card"]))
    if words.get("label") == "ib-key" or words.get("label") == "online-code-card":
        words = device_words(rng, "hotp")
    return words


def dates_words(rng: random.Random) -> dict[str, int]:
    """Moments from now on; 0: never."""
    words = {"delivery_day": rng.choice([0, 20_000])} if rng.random() < 0.5 else {}
    if rng.random() < 0.6:
        words["activates_ms"] = rng.choice([0, *SOON])
    if rng.random() < 0.5:
        words["expires_ms"] = rng.choice([0, *SOON])
    return words


def activating(rng: random.Random, who: str, wait: int) -> list[Step]:
    """What was shipped last is answered: right, or nearly; soon, or when its moment has come."""
    which = rng.choice(["shipped"] * 6 + [0, 1, "unheard-of"])
    platform = rng.choice(["portal"] * 3 + ["trading"])
    asked = {"sms": False, "platform": platform, "purpose": "activate device", "device": which,
             "question": None, "client_question": None}  # fmt: skip
    address = rng.choice([None, None, "1"])
    options = {**NOTHING, "platform": platform, "device": which, "address": address}
    options["challenge"] = rng.choice([0, 0, 0, None, "f00"])
    options["first"] = rng.choice(["own"] * 6 + [None, "vouched"])
    steps: list[Step] = [(wait, "challenge", who, asked)]
    if rng.random() < 0.2:
        steps.append((0, "verify", who, (0, 0), options))
    near = rng.choice([0, 0, 0, 0, 1, -1])
    which = 16 if which == "unheard-of" else which
    again = rng.choice([1, 1, 1, 2, 4])
    who = rng.choice([who] * 9 + ["nobody"])
    later = rng.choice([0, 0, 1, 60_000])
    options["id"] = rng.choice([0, 0, 1, 2])    # a request id's number; 0: none
    options["change"] = rng.choice([{}] * 6 + [{"platform": "portal"}, {"response": "000001"}])
    return steps + [(later, "activate", who, (which, near), options)] * again


def typing(rng: random.Random, who: str) -> list[Step]:
    """Everything the user has is tried, the moment after some moment has come or just before."""
    platform = rng.choice(["portal", "trading"])
    waits = [0, 0, *SOON, *(wait - 1 for wait in SOON[1:])]
    options = {**NOTHING, "platform": platform}
    steps: list[Step] = [(0, "challenge", who, {
        "sms": False, "platform": platform, "purpose": None, "device": rng.choice([None, 1, 2]),
        "question": None, "client_question": None,
    })]  # fmt: skip
    for at in rng.sample(range(5), rng.choice([1, 3, 5])):
        named = {"device": rng.choice([None, None, at]), "challenge": rng.choice([None, None, 0])}
        steps.append((rng.choice(waits), "verify", who, (at, 0), {**options, **named}))
    return steps
