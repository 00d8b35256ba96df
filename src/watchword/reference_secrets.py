"""What a user knows, as the slow twin knows it: PINs before codes, passwords, security questions.

Written from RULES.md alone, with the standard library alone. PINs, passwords and answers are kept
as they are typed, to be believed rather than to be safe. reference.py has the state and the
transition; nothing here changes anything.
"""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from watchword import reference_ocra as ocra

if TYPE_CHECKING:
    from watchword.reference import Attempt, Device, User

WRONG_ANSWERS_MAX = 3
QUESTIONS_PLACE = 2                 # in a sealed id, where a challenge's has its platform
KNOWN = ("password", "question")    # kept beside devices, and none of them


class Typed(NamedTuple):
    """What was typed, taken apart: the code, and whether the PIN is right where one is needed."""

    response: str
    second: str | None
    pin_is_right: bool


def parts(text: str, digits: int) -> tuple[str, str]:
    """The PIN and the code of what was typed."""
    return (text[:-digits], text[-digits:]) if len(text) > digits else ("", text)


def typed(a: "Attempt", d: "Device") -> Typed:
    """A PIN given apart is as if it were typed in front; OCRA signs its own, which it must be."""
    if d.kind == "ocra" and d.asked.pin:
        if a.pin is None or not a.response:
            return Typed(a.response, a.second, True)
        digest = hashlib.new(d.asked.pin, a.pin.encode()).digest()
        return Typed(a.response, a.second, digest == d.pin_hash)
    whole = (a.pin or "") + a.response if a.response else ""
    if not d.pin:
        return Typed(whole, a.second, not a.needs_pin)
    pin, code = parts(whole, d.digits)
    if a.second is None:
        return Typed(code, None, pin == d.pin)
    second_pin, second = parts(a.second, d.digits)
    return Typed(code, second, pin == second_pin == d.pin)


def password_amiss(user: "User | None", a: "Attempt") -> bool:
    """RULES 7: a password that is wrong or missing. One stands before logins alone."""
    if a.second is not None:
        return False
    own = next((d for d in user.known if d.kind == "password"), None) if user else None
    if a.password is not None:
        return own is None or own.key != a.password.encode()
    return own is not None and not a.vouched and not a.needs_pin


def questions(user: "User | None") -> "list[Device]":
    return [d for d in user.known if d.kind == "question"] if user else []


def question_stands(user: "User | None") -> "Device | None":
    return next((d for d in questions(user) if 0 in d.standing), None)


def plausible(key: bytes, hashed: int, count: int, texts: tuple[str, ...]) -> str:
    """What a name without questions is asked after so many answers: one of three of its own."""
    which = ocra.sip(key, ocra.words(hashed, count, 2**62)) >> 32
    whose = ocra.sip(key, ocra.words(hashed)) & 0xFFFFFFFF
    return texts[(whose + which % 3 * (len(texts) // 3)) % len(texts)]
