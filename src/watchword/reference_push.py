"""Pushes as the slow twin knows them: asked, decided, claimed, and how many there may be.

Written from RULES.md alone, with the standard library alone, to be believed rather than to be fast.
reference.py has users, devices and the transition; this is what it looks up.
"""

from dataclasses import dataclass, field

DECIDED = ("approved", "denied", "mismatched")


@dataclass
class Push:
    """A login put before a phone. user: a number, or None for a name that nobody has; device: 0
    when nobody is asked."""

    id: str
    name: str
    user: int | None
    device: int
    platform: int
    number: int
    asked_ms: int
    until_ms: int
    state: str = "pending"
    is_claimed: bool = False
    is_biometric: bool = False

    def stands(self, at_ms: int) -> str:
        """What has become of it; nothing once it was claimed."""
        if self.is_claimed:
            return ""
        if self.state == "cancelled":
            return "cancelled"
        return self.state if at_ms < self.until_ms else "expired"


@dataclass
class Pushes:
    """All of them, the oldest first, with the policy's three figures."""

    open_ms: int
    per_window: int
    window_ms: int
    all: list[Push] = field(default_factory=list)

    def of(self, id: str) -> Push | None:
        return next((push for push in reversed(self.all) if push.id == id), None)

    def lately(self, name: str, at_ms: int) -> int:
        """Those of a name since its last approval that are not too long ago."""
        count = 0
        for push in reversed([push for push in self.all if push.name == name]):
            if push.state == "approved":
                break
            count += at_ms - push.asked_ms < self.window_ms
        return count

    def ask(self, push: Push) -> bool:
        """Opens it, in the place of one that is pending; False: as many were asked as may be."""
        at_ms = push.asked_ms
        if self.lately(push.name, at_ms) >= self.per_window:
            return False
        if self.all and at_ms - self.all[0].asked_ms >= max(self.open_ms, self.window_ms):
            del self.all[0]
        for other in self.all:
            if other.name == push.name and other.stands(at_ms) == "pending":
                other.state = "cancelled"
        self.all.append(push)
        return True

    def decide(
        self, push: Push, decision: str, number: int | None, unlocked: str, at_ms: int
    ) -> str:
        """The phone's answer, which it signed; what has become of the push."""
        if push.stands(at_ms) == "pending":
            right = number == push.number
            push.state = "denied" if decision == "deny" else "approved" if right else "mismatched"
            push.is_biometric = unlocked == "biometric"
        return push.stands(at_ms) or "claimed"
