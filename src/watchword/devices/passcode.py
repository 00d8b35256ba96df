"""Temporary passcodes: how one is written, made, and kept.

Rule: a text is hashed here under a key of the store's and goes no further; what is kept is
ww_passcode of ext/watchword.h. No message repeats any of it.
"""

import hashlib
import hmac
import string
import struct
from collections.abc import Callable
from typing import Final

from watchword.errors import InvalidArgument

__all__ = ["ALPHABET", "CHARS", "SALT_BYTES", "expect", "kept", "made"]

# RULES section 3: upper case and digits, without the four that are taken for another: 0 O 1 I.
ALPHABET: Final = "".join(
    sorted(set(string.ascii_uppercase + string.digits) - set("0O1I"))
)
CHARS: Final = 10
SALT_BYTES: Final = 16
KEPT: Final = struct.Struct("<16s32sqq")


def made(entropy: Callable[[int], bytes]) -> str:
    """A new passcode: 50 bits."""
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in entropy(CHARS))


def expect(text: object) -> bytes:
    """A passcode as it is typed: exactly CHARS characters of ALPHABET."""
    typed = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    if not isinstance(typed, str) or len(typed) != CHARS or not set(typed) <= set(ALPHABET):
        raise InvalidArgument(
            f"passcode must be {CHARS} upper-case letters and digits, without 0 O 1 I"
        )
    return typed.encode("ascii")


def kept(secret: bytes, salt: bytes, text: bytes, full_until_ms: int, until_ms: int) -> bytes:
    """What stands in a store in place of the text."""
    digest = hmac.digest(secret, salt + text, hashlib.sha256)
    return KEPT.pack(salt, digest, full_until_ms, until_ms)
