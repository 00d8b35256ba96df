"""What hashing a password costs, by the figures of Argon2id that passwords are kept under.

A store may hold passwords of older figures than its policy's: each is hashed as it is kept, until
its user's next login renews it. So that time tells nobody who exists, a name without a password
pays one of the figures that are held, drawn by a keyed hash of the name in proportion to how many
are held under each. Rule: as older ones get fewer, names move to newer figures and never back.
"""

import hmac

__all__ = ["Costs"]

Cost = tuple[int, int, int]     # memory in KiB, passes, lanes
WHOLE = 1 << 64


class Costs:
    """How many passwords are kept under which figures. The engine's lock is held."""

    def __init__(self, key: bytes, held: dict[Cost, int]) -> None:
        self._key = key
        self._held = held

    def moved(self, gone: Cost | None, come: Cost | None) -> None:
        for cost, by in ((gone, -1), (come, 1)):
            if cost is not None:
                self._held[cost] = self._held.get(cost, 0) + by
                if self._held[cost] <= 0:
                    del self._held[cost]

    def of(self, name: bytes, today: Cost) -> Cost:
        """What a name that has no password pays. today: what one that is set now would."""
        if len(self._held) < 2:
            return next(iter(self._held), today)
        drawn = int.from_bytes(hmac.digest(self._key, name, "sha256")[:8], "little")
        at = drawn * sum(self._held.values()) // WHOLE
        for cost in sorted(self._held, key=lambda cost: (cost == today, cost)):
            at -= self._held[cost]
            if at < 0:
                return cost
        raise AssertionError("every share is below the whole")
