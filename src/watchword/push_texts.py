"""What phones show of pushes, and who waits for them to be decided.

Rule: a text lives as long as its push can be decided; a waiter is a callback, called once, outside
the engine's lock, by whoever decided. The engine's lock is held around every call.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["WAITERS_MAX", "Asked", "PushTexts", "Wake"]

WAITERS_MAX: Final = 8              # of one push; beyond: the longest is answered as things stand

Wake = Callable[[], object]


class Asked(NamedTuple):
    """What a phone shows of a push, and signs."""

    user: str
    serial: str
    platform: str
    purpose: str | None
    text: str
    expires_ms: int


class PushTexts:
    """The texts of pushes that phones may see, as long as they live; and who waits for which."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._order: deque[tuple[int, str]] = deque()
        self._waiting: dict[str, list[Wake]] = {}

    def add(self, id: str, asked: Asked, now_ms: int) -> None:
        while self._order and self._order[0][0] <= now_ms:
            self._asked.pop(self._order.popleft()[1], None)
        self._asked[id] = asked
        self._order.append((asked.expires_ms, id))

    def get(self, id: str) -> Asked | None:
        return self._asked.get(id)

    def wait(self, id: str, wake: Wake) -> list[Wake]:
        """One more waits. Whoever waited longest, if that is one too many, is to be called: it may
        have left without a word."""
        waiting = self._waiting.setdefault(id, [])
        waiting.append(wake)
        return [waiting.pop(0)] if len(waiting) > WAITERS_MAX else []

    def leave(self, id: str, wake: Wake) -> None:
        waiting = self._waiting.get(id, [])
        if wake in waiting:
            waiting.remove(wake)
        if not waiting:
            self._waiting.pop(id, None)

    def woken(self, id: str) -> list[Wake]:
        """Whoever waits for this push, to be called once the lock is let go; nobody waits now."""
        return self._waiting.pop(id, [])

    def all_woken(self) -> list[Wake]:
        everyone = [wake for waiting in self._waiting.values() for wake in waiting]
        self._waiting.clear()
        return everyone
