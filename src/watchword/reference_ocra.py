"""Challenge-response as the slow twin knows it: suites, responses, questions, sealed ids.

Written from RFC 6287 and RULES.md alone, with the standard library alone, to be believed rather
than to be fast. reference.py has the state and the transition; nothing here remembers anything.
"""

import hashlib
import hmac
import re
from typing import NamedTuple

SUITE = re.compile(
    r"OCRA-1:HOTP-(SHA1|SHA256|SHA512)-(\d+):(C-)?Q([ANH])(\d\d)"
    r"(?:-P(SHA1|SHA256|SHA512))?(?:-S(\d\d\d))?(?:-T(\d+)([SMH]))?"
)
UNIT_S = {"S": 1, "M": 60, "H": 3600}
QUESTION_BYTES = 128


class Suite(NamedTuple):
    """What a suite's text says, RFC 6287 section 6. period: seconds of T, 0 without."""

    text: str
    algorithm: str
    digits: int
    counter: bool
    form: str
    chars: int
    pin: str
    session: int
    period: int


def suite_of(text: str) -> Suite:
    """A legal suite, taken apart."""
    found = SUITE.fullmatch(text)
    assert found is not None, text
    algorithm, digits, counter, form, chars, pin, session, steps, unit = found.groups()
    return Suite(
        text, algorithm.lower(), int(digits), counter is not None, form, int(chars),
        (pin or "").lower(), int(session or 0), int(steps) * UNIT_S[unit] if steps else 0,
    )  # fmt: skip


def question_bytes(suite: Suite, question: str) -> bytes:
    """Q, section 5.1: padded on the right; a number is written in hex without leading zeros."""
    if suite.form == "A":
        return question.encode("ascii").ljust(QUESTION_BYTES, b"\0")
    digits = format(int(question), "x") if suite.form == "N" else question
    return bytes.fromhex(digits.ljust(2 * QUESTION_BYTES, "0"))


def response(
    suite: Suite, key: bytes, question: str, counter: int, pin_hash: bytes, session: bytes,
    step: int,
) -> str:  # fmt: skip
    """RFC 6287 section 5.2; what the suite does not have is not signed."""
    message = suite.text.encode() + b"\0"
    if suite.counter:
        message += counter.to_bytes(8, "big")
    message += question_bytes(suite, question)
    if suite.pin:
        message += pin_hash
    if suite.session:
        message += session.rjust(suite.session, b"\0")
    if suite.period:
        message += step.to_bytes(8, "big")
    mac = hmac.digest(key, message, suite.algorithm)
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return str(number % 10**suite.digits).rjust(suite.digits, "0")


def pin_hash(suite: Suite, pin: str) -> bytes:
    """P: the digest of the PIN's bytes."""
    return hashlib.new(suite.pin, pin.encode()).digest()
