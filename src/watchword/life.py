"""The life of a device as the rules have it: which state may follow which, and its dates.

Rule: what may be is decided here, before a record is written; what a record says is done by the
core. A date of delivery is a day and is reported; the two moments are milliseconds since 1970.
"""

import struct
from datetime import date, timedelta
from typing import NamedTuple

from watchword.errors import InvalidArgument

__all__ = [
    "DATES_BYTES", "NEW_DEVICE", "TRANSITIONS", "Dates", "day_of", "expect_transition", "moment",
]  # fmt: skip

NEW_DEVICE = "activate device"      # the purpose of a challenge that a shipped device answers
DATES = struct.Struct("<IIqq")      # ww_dates
DATES_BYTES = DATES.size
EPOCH = date(1970, 1, 1)
DAYS_MAX = (1 << 16) - 1
MOMENT_MAX = 1 << 53                # 285,000 years, as a row's time

# RULES 6. What ended has ended: who comes back gets another device.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "shipped": ("active", "lost", "returned", "expired"),
    "active": ("suspended", "lost", "returned", "expired"),
    "suspended": ("active", "lost", "returned", "expired"),
    "lost": ("active", "returned", "expired"),
    "returned": ("expired",),
    "expired": (),
}


def expect_transition(was: str, will_be: str) -> None:
    """Errors: InvalidArgument names both states. To stay what it is is nothing."""
    legal = TRANSITIONS[was]
    if will_be in (was, *legal):
        return
    said = f"it can become {' or '.join(legal)}" if legal else "it stays so"
    raise InvalidArgument(f"state: a device that is {was} cannot become {will_be}; {said}")


class Dates(NamedTuple):
    """When a device comes and goes; 0: no such moment. replaces: the number of the device that ends
    when this one becomes active."""

    delivery_day: int = 0
    replaces: int = 0
    activates_ms: int = 0
    expires_ms: int = 0

    def packed(self) -> bytes:
        return DATES.pack(*self)

    @classmethod
    def unpacked(cls, tail: bytes) -> "Dates":
        return cls(*DATES.unpack_from(tail))

    @property
    def delivery(self) -> str:
        """The day as people write it: 2026-12-01; empty where none is known."""
        return (EPOCH + timedelta(days=self.delivery_day)).isoformat() if self.delivery_day else ""


def day_of(delivery: str | date | None) -> int:
    """A day since 1970. Errors: InvalidArgument."""
    if delivery is None or delivery == "":
        return 0
    try:
        day = delivery if isinstance(delivery, date) else date.fromisoformat(delivery)
    except (TypeError, ValueError):
        day = EPOCH
    if not 0 < (day - EPOCH).days <= DAYS_MAX:
        raise InvalidArgument("delivery is a day from 1970-01-02 to 2149-06-06, as 2026-12-01")
    return (day - EPOCH).days


def moment(name: str, time_ms: object) -> int:
    """A moment that may come. Errors: InvalidArgument."""
    if isinstance(time_ms, bool) or not isinstance(time_ms, int) or not 0 <= time_ms <= MOMENT_MAX:
        raise InvalidArgument(f"{name} is milliseconds since 1970, 0 for never")
    return time_ms
