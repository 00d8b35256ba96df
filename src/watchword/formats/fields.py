"""The fields of a row of users and devices: what each column is called and takes.

Rule: a field that is not what its column takes is a FieldError, which says the column and what is
legal; never the field, which may be a key.
"""

import csv
import io
import re
import secrets
from collections.abc import Callable
from typing import Any

from watchword.devices import passcode
from watchword.devices.device import MECHANISMS, PRESETS
from watchword.errors import InvalidArgument
from watchword.formats.otpauth import key_from_text

__all__ = [
    "COLUMNS", "DEVICE_STATES", "FIGURES", "FORMULA", "KEY_IS", "KINDS", "LINE_BYTES_MAX", "OF",
    "OWN", "PASSCODE", "READ", "REALMS", "STATES", "WHOLE", "FieldError", "digest", "fields_of",
    "key_of", "misfit", "one_of", "whole",
]  # fmt: skip

# The device's own figures, which rows share; then what each row has for itself.
FIGURES = (
    "digits", "algorithm", "period", "t0", "window", "drift_max", "look_ahead", "suite", "once",
)  # fmt: skip
OWN = ("drift", "counter", "pin", "pin_hash", "phone")
COLUMNS = ("name", "state", "realm", "kind", "serial", "key", *FIGURES, *OWN, "device_state")
STATES, REALMS = ("open", "pending", "closed"), ("live", "paper")
DEVICE_STATES = ("shipped", "active", "suspended", "lost", "returned", "expired")
PASSCODE = "temporary-passcode"  # written, and read where it is there already; never enrolled here
KINDS = (*MECHANISMS, *PRESETS, "sms", PASSCODE)
LINE_BYTES_MAX = 4_096
FIELD_CHARS_MAX = 512
# Which of them a device may be given, by its mechanism.
OF: dict[str, tuple[str, ...]] = {
    "totp": (
        "digits", "algorithm", "period", "t0", "window", "drift_max", "drift", "counter", "pin",
    ),
    "hotp": ("digits", "algorithm", "look_ahead", "counter", "pin"),
    "ocra": (
        "suite", "window", "drift_max", "look_ahead", "drift", "counter", "pin", "pin_hash",
        "phone",
    ),
    "card": ("once", "counter"),
    "sms": ("counter",),
    PASSCODE: (),
}
# lowest, highest; what cannot stand together is found when the device is made
WHOLE = {
    "digits": (6, 8), "period": (1, 3_600), "t0": (0, 2**40), "drift_max": (0, 10),
    "drift": (-10, 10), "counter": (0, 2**64 - 1), "look_ahead": (0, 100),
}  # fmt: skip
KEY_IS = "is base32, or hex after 'hex:'"
FORMULA = ("=", "+", "-", "@")
CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")


class FieldError(Exception):
    """A field is not what its column takes: the column, and what is legal."""


def fields_of(raw: bytes, columns: list[str]) -> list[str]:
    """A line's fields. None holds a line end, so a quote that stays open is one that is missing."""
    if len(raw) > LINE_BYTES_MAX:
        raise FieldError("the line", f"is at most {LINE_BYTES_MAX} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise FieldError(place(columns, raw[: error.start].count(b",")), "is not UTF-8") from None
    if found := CONTROL.search(text):
        what = "holds a NUL" if found[0] == "\0" else "holds a control character"
        raise FieldError(place(columns, text[: found.start()].count(",")), what)
    fields = text.split(",")
    if '"' in text:
        try:
            fields = next(csv.reader(io.StringIO(text), strict=True))
        except csv.Error:
            raise FieldError("the line", "has quotes that do not belong together") from None
    if len(text) > FIELD_CHARS_MAX:
        for at, field in enumerate(fields):
            if len(field) > FIELD_CHARS_MAX:
                raise FieldError(place(columns, at), f"is at most {FIELD_CHARS_MAX} characters")
    return fields


def place(columns: list[str], at: int) -> str:
    return columns[at] if at < len(columns) else f"column {at + 1}"


def one_of(column: str, field: str, words: tuple[str, ...]) -> str | None:
    if field and field not in words:
        raise FieldError(column, f"is one of {', '.join(words)}")
    return field or None


def whole(column: str, field: str, high: int | None = None) -> int:
    """A number within its column's range; 0 where nothing was said."""
    low, most = WHOLE[column]
    digits = field.removeprefix("-")
    legal = digits.isascii() and digits.isdecimal() and len(digits) <= 20
    if field and not (legal and low <= int(field) <= (high or most)):
        raise FieldError(column, f"is a whole number from {low} to {high or most}")
    return int(field or 0)


def window(column: str, field: str) -> tuple[int, int]:
    """Steps either side, as 1; or back and forward, as 2/0."""
    parts = field.split("/")
    if len(parts) > 2 or not all(p.isascii() and p.isdecimal() and len(p) <= 2 for p in parts):
        raise FieldError(column, "is 0 to 10 steps either side, or back/forward")
    return int(parts[0]), int(parts[-1])


def flag(column: str, field: str) -> bool:
    return one_of(column, field, ("true", "false")) == "true"


def digest(field: str) -> bytes | None:
    try:
        return bytes.fromhex(field) if field else None
    except ValueError:
        raise FieldError("pin_hash", "is hex digits") from None


def key_of(kind: str, field: str) -> bytes:
    """A key as it is written; where none is, one that is made."""
    if not field:
        text = passcode.made(secrets.token_bytes).encode() if kind == PASSCODE else b""
        return text or secrets.token_bytes(20)
    if kind == PASSCODE:
        raise FieldError("key", "must be left out: passcodes are issued, not imported")
    try:
        return key_from_text(field)
    except InvalidArgument:
        raise FieldError("key", KEY_IS) from None


def misfit(error: InvalidArgument, kind: str) -> FieldError:
    """What a device says of its arguments, under the column that has them."""
    name, _, says = str(error.args[0]).partition(" ")
    name = {"public_key": "phone"}.get(name, name.removesuffix(":"))
    if name in COLUMNS:
        return FieldError(name, says)
    return FieldError("kind", f"{kind}: {name} {says}")


READ: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(WHOLE, whole), "window": window, "once": flag
}
