"""What the arguments of the plain functions may be, each rule said once.

Every function here returns its argument or raises InvalidArgument with the argument's name and
what is legal. The value given never enters the message: it may be a secret.
"""

from collections.abc import Collection

from watchword.errors import InvalidArgument

__all__ = ["COUNTER_MAX", "KEY_BYTES_MAX", "key_bytes", "one_of", "utf8_text", "whole"]

KEY_BYTES_MAX = 1024            # of the plain functions; devices of the engine take 10 to 128
COUNTER_MAX = 2**64 - 1         # RFC 4226 5.1: eight bytes


def whole(name: str, value: object, low: int, high: int) -> int:
    """An integer from low to high; True and False are not integers here."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgument(f"{name} must be an integer from {low} to {high}")
    if not low <= value <= high:
        raise InvalidArgument(f"{name} must be from {low} to {high}")
    return value


def key_bytes(name: str, value: object) -> bytes:
    """A secret key: 1 to KEY_BYTES_MAX raw bytes."""
    if not isinstance(value, bytes):
        raise InvalidArgument(
            f"{name} must be bytes, 1 to {KEY_BYTES_MAX} of them",
            hint="decode base32 or hex text first",
        )
    if not 1 <= len(value) <= KEY_BYTES_MAX:
        raise InvalidArgument(f"{name} must be 1 to {KEY_BYTES_MAX} bytes long")
    return value


def utf8_text(name: str, value: object) -> str:
    """Any str that UTF-8 can hold (half of a surrogate pair cannot be hashed or compared)."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be text (str)")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidArgument(f"{name} must be text that UTF-8 can hold")
    return value


def one_of(name: str, value: object, words: Collection[str]) -> str:
    """One of a few words, spelt exactly so."""
    if not isinstance(value, str) or value not in words:
        raise InvalidArgument(f"{name} must be one of {', '.join(words)}")
    return value
