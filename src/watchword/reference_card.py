"""Code cards as the slow twin knows them: cells, pairs, answers, and how long a card lasts.

Written from RULES.md alone, with the standard library alone, to be believed rather than to be fast.
reference.py has the state and the transition; nothing here remembers anything.
"""

import functools
import hmac

from watchword.reference_ocra import permuted, sip, words

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CELLS = 224
# Every two cells once, in the order in which they are counted.
TWOS = [
    two
    for row in range(CELLS // 2)
    for low in (row, CELLS - 1 - row)
    for two in [(low + 1, high + 1) for high in range(low + 1, CELLS)]
]


def message(index: int) -> bytes:
    return b"card" + index.to_bytes(4, "big")


@functools.lru_cache(4096)
def cell(key: bytes, index: int) -> str:
    """Three characters: the lowest fifteen bits of RFC 4226's truncation."""
    mac = hmac.digest(key, message(index), "sha1")
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in (10, 5, 0))


def who_of(key: bytes) -> int:
    """Whose order of pairs: the card's, wherever its key is enrolled."""
    return int.from_bytes(hmac.digest(key, message(0), "sha1")[:8], "little")


def answers_max(once: bool) -> int:
    """Each cell once; or each two of them in one order, and then in the other."""
    return CELLS // 2 if once else 2 * len(TWOS)


@functools.lru_cache(4096)
def pair(question_key: bytes, who: int, once: bool, n: int) -> tuple[int, int]:
    """The two indices asked for after n answers."""
    if once:
        first, second = (permuted(question_key, who, at, CELLS) for at in (2 * n, 2 * n + 1))
        return first + 1, second + 1
    at = permuted(question_key, who, n, len(TWOS))
    low, high = TWOS[at]
    turned = sip(question_key, words(who, at, 2**62)) & 1
    return (low, high) if turned == n // len(TWOS) else (high, low)


def answer(key: bytes, asked: tuple[int, int]) -> str:
    return "".join(cell(key, index) for index in asked)


@functools.lru_cache(4096)
def lasts(question_key: bytes, who: int, once: bool, percent: int) -> int:
    """After how many answers so many cells in a hundred have been shown."""
    shown: set[int] = set()
    n = 0
    while n < answers_max(once) and len(shown) * 100 < percent * CELLS:
        shown |= set(pair(question_key, who, once, n))
        n += 1
    return n
