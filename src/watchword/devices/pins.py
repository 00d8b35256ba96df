"""PINs: what one may be made of, and the digest that OCRA's P element takes.

Rule: a PIN is turned into its digest here and goes no further; no message repeats any of it.
"""

import hashlib
import string
from typing import Final

from watchword.devices.arguments import utf8_text
from watchword.errors import InvalidArgument

__all__ = ["DIGEST_BYTES", "phone_pin", "pin_digest"]

DIGEST_BYTES: Final = {"sha1": 20, "sha256": 32, "sha512": 64}
PIN_CHARS_MAX: Final = 128          # ours; RFC 6287 names no limit
PHONE_PIN_CHARS_MIN, PHONE_PIN_CHARS_MAX = 4, 6     # RULES section 3, ib-key
PHONE_PIN_CHARS = frozenset(string.ascii_letters + string.digits + string.punctuation)


def phone_pin(pin: object) -> str:
    """An ib-key's PIN: 4 to 6 ASCII letters, digits and specials."""
    if (
        not isinstance(pin, str)
        or not PHONE_PIN_CHARS_MIN <= len(pin) <= PHONE_PIN_CHARS_MAX
        or not set(pin) <= PHONE_PIN_CHARS
    ):
        raise InvalidArgument(
            f"pin must be text of {PHONE_PIN_CHARS_MIN} to {PHONE_PIN_CHARS_MAX} ASCII letters, "
            "digits and specials"
        )
    return pin


def pin_digest(algorithm: str | None, pin: object, pin_hash: object) -> bytes:
    """What P signs: the PIN's digest under the suite's own hash; nothing where there is no P.

    Exactly one of pin and pin_hash must be there when the suite has P, and neither otherwise.
    """
    if algorithm is None:
        for name, given in (("pin", pin), ("pin_hash", pin_hash)):
            if given is not None:
                raise InvalidArgument(f"{name} must be left out: the suite has no P")
        return b""
    if (pin is None) == (pin_hash is None):
        raise InvalidArgument("pin or pin_hash, one of the two, is needed: the suite has P")
    if pin is None:
        size = DIGEST_BYTES[algorithm]
        if not isinstance(pin_hash, bytes) or len(pin_hash) != size:
            raise InvalidArgument(f"pin_hash must be bytes, {size} of them")
        return pin_hash
    typed = utf8_text("pin", pin)
    if not 1 <= len(typed) <= PIN_CHARS_MAX:
        raise InvalidArgument(f"pin must be 1 to {PIN_CHARS_MAX} characters long")
    return hashlib.new(algorithm, typed.encode("utf-8")).digest()
