"""The life of a device, as the slow twin knows it: states, moments that come, and what ends.

Written from RULES.md section 6 alone, with the standard library alone. reference.py has the state
and the transition; what is here looks at devices, and says what they are or become.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from watchword.reference import Device, User

TEMPORARY = ("temporary-passcode", "online-code-card")
ENDS = 8                            # in place: what becomes active by it ends what is temporary
NEW_DEVICE = "activate device"      # what a shipped device is asked for
# What client services may make of a device.
NEXT = {
    "shipped": {"active", "lost", "returned", "ended"},
    "active": {"suspended", "lost", "returned", "ended"},
    "suspended": {"active", "lost", "returned", "ended"},
    "lost": {"active", "returned", "ended"},
    "returned": {"ended"},
    "ended": set(),
}


class Dates(NamedTuple):
    """When a device comes and goes; 0: no such moment. replaces: the number of another."""

    delivery_day: int = 0
    replaces: int = 0
    activates_ms: int = 0
    expires_ms: int = 0


def answers(d: "Device", *, activates: bool, logs_in: bool) -> bool:
    """Whether a response is held against it: a temporary device that ended says that it did."""
    if d.state == "active":
        return True
    ended = logs_in and d.state == "ended" and d.label in TEMPORARY
    return ended or (activates and d.state == "shipped")


def activates_itself(d: "Device", at_ms: int) -> bool:
    """Whether a shipped device is active by a moment."""
    begins, ends = d.dates.activates_ms, d.dates.expires_ms
    return d.state == "shipped" and 0 < begins <= at_ms and (not ends or begins < ends)


def ended_by(other: "Device", d: "Device") -> bool:
    """Whether d ends as the other becomes active."""
    if d is other:
        return False
    temporary = d.label in TEMPORARY and other.label not in TEMPORARY
    return temporary or other.dates.replaces == d.number


def stands(user: "User", d: "Device", at_ms: int) -> str:
    """The state of a device at a moment, whether or not anybody has recorded what came due."""
    comes = [other for other in user.devices if activates_itself(other, at_ms)]
    state = "active" if d in comes else d.state
    ends = any(ended_by(other, d) for other in comes) or 0 < d.dates.expires_ms <= at_ms
    return "ended" if ends and state in ("shipped", "active", "suspended") else state


def is_due(user: "User", at_ms: int) -> bool:
    return any(stands(user, d, at_ms) != d.state for d in user.devices)


def come_due(user: "User", at_ms: int) -> None:
    """What is due by a moment has come."""
    states = [stands(user, d, at_ms) for d in user.devices]
    for d, state in zip(user.devices, states, strict=True):
        if state != d.state:
            become(d, state)


def become(d: "Device", state: str) -> None:
    d.state, d.capped = state, False
    if state == "active":
        d.failures = 0


def become_active(user: "User", d: "Device") -> None:
    """RULES 6: what is temporary is dead from then on, and what this one replaces."""
    become(d, "active")
    for other in user.devices:
        if ended_by(d, other) and other.state in ("shipped", "active", "suspended"):
            become(other, "ended")
