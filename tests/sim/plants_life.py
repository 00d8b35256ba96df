"""Bugs planted where devices come and go; plants.py has others."""

from typing import Any

from tests.sim.planting import Put, plant
from watchword import acts, issuing, lifecycle
from watchword.acts import Acts


@plant
def moment_not_recorded(put: Put) -> None:
    """An act is decided as if what came due before it had not."""
    put(Acts, "_due", lambda self, number, now_ms: b"")


@plant
def temporary_devices_live_on(put: Put) -> None:
    """A permanent device that becomes active ends nothing."""
    real = lifecycle._record

    def record(event: int, user: int, *, place: int = 0, **words: Any) -> bytes:
        return real(event, user, place=place & ~lifecycle.ENDS, **words)

    put(lifecycle, "_record", record)


@plant
def shipped_and_active(put: Put) -> None:
    """What is on its way verifies already."""
    real = lifecycle.device_add

    def device_add(*words: Any, **named: Any) -> bytes:
        return real(*(word if word != "shipped" else "active" for word in words), **named)

    put(lifecycle, "device_add", device_add)


@plant
def any_state_may_follow(put: Put) -> None:
    """What ended is active again, if somebody says so."""
    put(acts, "expect_transition", lambda was, will_be: None)


@plant
def online_card_for_ever(put: Put) -> None:
    """The date of an online card is left out."""
    real = issuing.Dates.packed
    put(issuing.Dates, "packed", lambda self: real(self._replace(expires_ms=0)))
