"""PINs: what one may be made of, the digest that OCRA's P element takes, and what is kept of a PIN
that is typed before a code.

Rule: a PIN is turned into its digest here and goes no further; no message repeats any of it.
"""

import hashlib
import hmac
import itertools
import re
import string
from collections.abc import Sequence
from typing import Final

from watchword.devices.arguments import utf8_text
from watchword.errors import InvalidArgument

__all__ = [
    "DIGEST_BYTES", "KEPT_BYTES", "SALT_BYTES", "kept", "new_pin", "phone_pin", "pin_digest",
    "prefix_pin",
]  # fmt: skip

DIGEST_BYTES: Final = {"sha1": 20, "sha256": 32, "sha512": 64}
PIN_CHARS_MAX: Final = 128          # ours; RFC 6287 names no limit
PHONE_PIN_CHARS_MIN, PHONE_PIN_CHARS_MAX = 4, 6     # RULES section 3, ib-key
PHONE_PIN_CHARS = frozenset(string.ascii_letters + string.digits + string.punctuation)
PREFIX_CHARS_MIN, PREFIX_CHARS_MAX = 4, 16
PHYSICAL = ("alpine", "dsc", "dsc-plus", "gold", "platinum")    # they have keys for digits alone
SALT_BYTES, KEPT_BYTES = 16, 48     # of a PIN typed before a code: salt and HMAC-SHA256


def phone_pin(pin: object, name: str = "pin") -> str:
    """An ib-key's PIN: 4 to 6 ASCII letters, digits and specials. name: the argument."""
    if (
        not isinstance(pin, str)
        or not PHONE_PIN_CHARS_MIN <= len(pin) <= PHONE_PIN_CHARS_MAX
        or not set(pin) <= PHONE_PIN_CHARS
    ):
        raise InvalidArgument(
            f"{name} must be text of {PHONE_PIN_CHARS_MIN} to {PHONE_PIN_CHARS_MAX} ASCII "
            "letters, digits and specials"
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


def kept(secret: bytes, salt: bytes, text: str) -> bytes:
    """What stands in a store in place of a PIN, or of an answer: a salted keyed hash."""
    return salt + hmac.digest(secret, salt + text.encode(), hashlib.sha256)


def prefix_pin(kind: str, pin: object, name: str = "pin") -> str:
    """A PIN that is typed before the code of a device of this kind. name: the argument."""
    if kind == "ib-key":
        return phone_pin(pin, name)
    characters = string.digits if kind in PHYSICAL else PHONE_PIN_CHARS
    if (
        not isinstance(pin, str)
        or not PREFIX_CHARS_MIN <= len(pin) <= PREFIX_CHARS_MAX
        or not set(pin) <= set(characters)
    ):
        sort = "digits" if kind in PHYSICAL else "ASCII letters, digits and specials"
        raise InvalidArgument(
            f"{name} must be text of {PREFIX_CHARS_MIN} to {PREFIX_CHARS_MAX} {sort}"
        )
    return pin


def new_pin(name: str, pin: object, personal: Sequence[str], chars_min: int = 1) -> str:
    """A PIN that somebody chose: neither plain nor known (NIST SP 800-63B 5.1.1.2, RULES 6).

    personal: what is known of the user, such as birth date, phone, address, ID, names.
    """
    typed = utf8_text(name, pin)
    if len(typed) < max(1, chars_min):
        raise InvalidArgument(f"{name} must be at least {chars_min} characters long")
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(typed)}
    if len(typed) > 1 and len(steps) == 1 and steps <= {-1, 0, 1}:
        raise InvalidArgument(f"{name} must not be one character repeated, or a run up or down")
    told = isinstance(personal, Sequence) and not isinstance(personal, str)
    if not told or not all(isinstance(fact, str) for fact in personal):
        raise InvalidArgument("personal is a sequence of str")
    folded = typed.casefold()
    if any(folded in form for fact in personal for form in forms(fact.casefold())):
        raise InvalidArgument(f"{name} must not be part of what is known of the user")
    return typed


def forms(fact: str) -> list[str]:
    """A fact as one would type it: as it is, without what stands between, a date the other ways."""
    found = [fact, "".join(c for c in fact if c.isalnum())]
    date = re.fullmatch(r"(\d\d(\d\d))\D?(\d\d)\D?(\d\d)", fact)
    if date is not None:
        year, short, month, day = date.groups()
        found += [day + month + year, month + day + year, day + month + short]
        found += [month + day + short, short + month + day]
    return found
