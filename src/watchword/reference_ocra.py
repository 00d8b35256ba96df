"""Challenge-response as the slow twin knows it: suites, responses, questions, sealed ids.

Written from RFC 6287 and RULES.md alone, with the standard library alone, to be believed rather
than to be fast. reference.py has the state and the transition; nothing here remembers anything.
"""

import functools
import hmac
import re
import string
import struct
from collections.abc import Iterable
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


@functools.cache
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
    return truncated(mac, suite.digits) if suite.digits else mac.hex()


def truncated(mac: bytes, digits: int) -> str:
    """RFC 4226 section 5.3."""
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).rjust(digits, "0")


# ---- keyed functions -----------------------------------------------------------------------------

WORD = 2**64 - 1


Sipped = tuple[int, int, int, int]  # SipHash on its way


def turned(v: Sipped, rounds: int) -> Sipped:
    """SipRounds, each rotation written out: the order of a card's cells is thousands of them."""
    v0, v1, v2, v3 = v
    for _ in range(rounds):
        v0, v2 = (v0 + v1) & WORD, (v2 + v3) & WORD
        v1 = ((v1 << 13 | v1 >> 51) & WORD) ^ v0
        v3 = ((v3 << 16 | v3 >> 48) & WORD) ^ v2
        v0 = (v0 << 32 | v0 >> 32) & WORD
        v2, v0 = (v2 + v1) & WORD, (v0 + v3) & WORD
        v1 = ((v1 << 17 | v1 >> 47) & WORD) ^ v2
        v3 = ((v3 << 21 | v3 >> 43) & WORD) ^ v0
        v2 = (v2 << 32 | v2 >> 32) & WORD
    return v0, v1, v2, v3


def begun(key: bytes) -> Sipped:
    k0, k1 = struct.unpack_from("<2Q", key)
    return (
        k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573,
    )  # fmt: skip


def taken_in(v: Sipped, words: Iterable[int], rounds: int = 2) -> Sipped:
    for word in words:
        v0, v1, v2, v3 = turned((v[0], v[1], v[2], v[3] ^ word), rounds)
        v = v0 ^ word, v1, v2, v3
    return v


def ended(v: Sipped, rounds: int = 4) -> int:
    v0, v1, v2, v3 = turned((v[0], v[1], v[2] ^ 255, v[3]), rounds)
    return v0 ^ v1 ^ v2 ^ v3


def sip(key: bytes, text: bytes, rounds: int = 2, last_rounds: int = 4) -> int:
    """SipHash of Aumasson and Bernstein, 2-4 unless told."""
    padded = text + bytes(-(len(text) + 1) % 8) + bytes([len(text) & 255])
    blocks = (block for (block,) in struct.iter_unpack("<Q", padded))
    return ended(taken_in(begun(key), blocks, rounds), last_rounds)


def name_hash(name_key: bytes, name: str) -> int:
    """What stands for a name in a record: SipHash 1-3."""
    return sip(name_key, name.encode(), 1, 3)


# ---- questions -----------------------------------------------------------------------------------

# Of each form: its characters, and how many of them are permuted as one number.
FORMS = {
    "N": (string.digits, 18),
    "H": (string.digits + "ABCDEF", 15),
    "A": (string.digits + string.ascii_uppercase + string.ascii_lowercase, 10),
}


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


@functools.lru_cache(4096)
def rounds_of(key: bytes, who: int, spent: int) -> list[Sipped]:
    """The eight rounds, sip(key, words(who, spent | at << 32, right)), as far as no right comes
    in: they are the same for every count."""
    return [taken_in(begun(key), (who, spent | at << 32)) for at in range(8)]


def permuted(key: bytes, who: int, n: int, size: int) -> int:
    """Where count n stands in the order in which `who` is asked all of range(size): eight Feistel
    rounds, walked until they end within the range; a new order each time all were asked."""
    half: int = -(-(size - 1).bit_length() // 2)
    spent, x = divmod(n, size)
    while True:
        left, right = x >> half, x & (2**half - 1)
        for v in rounds_of(key, who, spent):
            mixed = ended(taken_in(v, (right, 24 << 56))) & (2**half - 1)
            left, right = right, left ^ mixed
        x = left << half | right
        if x < size:
            return int(x)


@functools.lru_cache(4096)
def question(key: bytes, suite: Suite, who: int, n: int) -> str:
    """The question of count n: the first part permuted, so that none comes twice, the rest drawn.
    key: the first 16 bytes of Keys.ask."""
    alphabet, most = FORMS[suite.form]
    base, first = len(alphabet), min(suite.chars, most)
    x, text = permuted(key, who, n, base**first), ""
    for _ in range(first):
        x, digit = divmod(x, base)
        text = alphabet[digit] + text
    block = 0
    while len(text) < suite.chars:
        drawn = sip(key, words(who, n | (256 + block) << 32, 0))
        for _ in range(min(8, suite.chars - len(text))):
            drawn, digit = divmod(drawn, base)
            text += alphabet[digit]
        block += 1
    return text


# ---- sealed ids ----------------------------------------------------------------------------------


class Sealed(NamedTuple):
    """What a challenge's id is bound to. device 0: a plausible one that nobody can answer. posed:
    the question to be signed, where it was posed."""

    name: int
    purpose: int
    device: int
    n: int
    epoch: int
    platform: int
    posed: str = ""


PAYLOAD = struct.Struct("<QQIIIBBH")
VERSION = 1


def purpose_digest(token_key: bytes, purpose: str | None) -> int:
    """0 for no purpose and never else."""
    if purpose is None:
        return 0
    mac = hmac.digest(token_key, b"\x03" + purpose.encode(), "sha256")
    return int.from_bytes(mac[:8], "little") or 1


def masked(token_key: bytes, mac: bytes, payload: bytes) -> bytes:
    blocks = [b""] + [bytes([at]) for at in range(1, -(-len(payload) // 32))]
    stream = b"".join(hmac.digest(token_key, b"\x02" + mac + at, "sha256") for at in blocks)
    stream = stream[: len(payload)]
    return bytes(mine ^ theirs for mine, theirs in zip(payload, stream, strict=True))


def seal(token_key: bytes, sealed: Sealed) -> str:
    """The id: a MAC, and the payload hidden under it."""
    *fields, posed = sealed
    payload = PAYLOAD.pack(*fields, VERSION, len(posed)) + posed.encode("ascii")
    mac = hmac.digest(token_key, b"\x01" + payload, "sha256")[:16]
    return (mac + masked(token_key, mac, payload)).hex()


def unseal(token_key: bytes, text: str) -> Sealed | None:
    """What an id says, if it is one of ours."""
    if not 96 <= len(text) <= 352 or len(text) % 2 or not set(text) <= set("0123456789abcdef"):
        return None
    token = bytes.fromhex(text)
    payload = masked(token_key, token[:16], token[16:])
    mac = hmac.digest(token_key, b"\x01" + payload, "sha256")[:16]
    if mac != token[:16]:
        return None
    *fields, version, size = PAYLOAD.unpack(payload[: PAYLOAD.size])
    posed = payload[PAYLOAD.size :].decode("ascii")
    return Sealed._make([*fields, posed]) if (version, size) == (VERSION, len(posed)) else None
