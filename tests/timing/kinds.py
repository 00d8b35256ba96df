"""What users hold while `verify` is timed, a kind at a time, and what is typed for each class.

A kind enrols a user and gives what is typed: `used`, which was right and was let in once, or, of a
passcode, which is never used up, what differs in its first character alone; `wrong`, which differs
in its last; `length`, which is shorter; with a PIN also `pin`, a wrong one before a used code. What
is asked stands again afterwards, so that a wrong answer is held against something.
"""

import random
from collections.abc import Callable
from queue import SimpleQueue

from watchword import Card, Delivery, Device, Engine, ocra, totp
from watchword.devices.card import cells

__all__ = ["KINDS", "PERIOD_S", "STEP", "Typed"]

PERIOD_S = 3600
STEP = 450_000
SUITE = "OCRA-1:HOTP-SHA1-6:QN06"
PIN, OTHER_PIN = "4711", "4712"
SECONDS_MAX = 10.0

Typed = dict[str, str]
Enrol = Callable[[Engine, str, random.Random, "SimpleQueue[Delivery]"], Typed]


def other(text: str, at: int) -> str:
    """The text with another character of its own sort there."""
    held = list(text)
    held[at] = "2" if text[at] != "2" else "3"
    return "".join(held)


def typed(used: str) -> Typed:
    return {"used": used, "wrong": other(used, -1), "length": used[:-1]}


def by_time(engine: Engine, user: str, rng: random.Random, _: object) -> Typed:
    key = rng.randbytes(20)
    engine.add_device(user, Device.totp(key, period=PERIOD_S))
    right = totp(key, STEP * PERIOD_S, period=PERIOD_S)
    assert engine.verify(user, right)
    return typed(right)


def with_pin(engine: Engine, user: str, rng: random.Random, _: object) -> Typed:
    key = rng.randbytes(20)
    engine.add_device(user, Device.totp(key, period=PERIOD_S, pin=PIN))
    right = totp(key, STEP * PERIOD_S, period=PERIOD_S)
    assert engine.verify(user, PIN + right)
    return {**typed(PIN + right), "pin": OTHER_PIN + right}


def asked(engine: Engine, user: str, rng: random.Random, _: object) -> Typed:
    key = rng.randbytes(20)
    engine.add_device(user, Device.gold(key))
    right = ocra(SUITE, key, engine.challenge(user).prompt)
    assert engine.verify(user, right)
    engine.challenge(user)
    return typed(right)


def card(engine: Engine, user: str, rng: random.Random, _: object) -> Typed:
    key = rng.randbytes(20)
    engine.add_device(user, Device.code_card(key))
    right = Card("", "", cells(key)).answer(engine.challenge(user).prompt)
    assert engine.verify(user, right)
    engine.challenge(user)
    return typed(right)


def passcode(engine: Engine, user: str, rng: random.Random, _: object) -> Typed:
    right = engine.issue_passcode(user).passcode
    assert engine.verify(user, right)
    return {**typed(right), "used": other(right, 0)}


def sent(engine: Engine, user: str, rng: random.Random, phone: "SimpleQueue[Delivery]") -> Typed:
    engine.add_device(user, Device.sms(rng.randbytes(20)))
    engine.send_code(user)
    right = phone.get(timeout=SECONDS_MAX).code
    assert engine.verify(user, right)
    engine.send_code(user)
    phone.get(timeout=SECONDS_MAX)
    return typed(right)


KINDS: dict[str, Enrol] = {
    "totp": by_time, "ocra": asked, "card": card, "passcode": passcode, "sms": sent,
    "pin": with_pin,
}  # fmt: skip
