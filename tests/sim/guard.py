"""When every attempt must be BUSY: what RULES sections 5 and 7 say of the clock and of a full disk.

Written from the rules, to be held against the engine's own guard: a step of the wall clock of more
than 60 seconds (and what a time daemon may slew), a store ahead of the clock or a week behind it,
and less room on the disk than the reserve.
"""

from typing import Final

from tests.sim.calls import RESERVE_BYTES
from tests.sim.clock import SimClock

__all__ = ["Guard"]

STEP_MS: Final = 60_000
WEEK_MS: Final = 7 * 86_400_000


class Guard:
    """Lives as long as an engine does."""

    def __init__(self, clock: SimClock, last_ms: int, free_bytes: int) -> None:
        self._clock = clock
        self._last_ms = last_ms
        self._ahead = bool(last_ms) and clock.wall_ms() < last_ms
        self._behind = bool(last_ms) and clock.wall_ms() - last_ms > WEEK_MS
        self._stepped = False
        self._begin()
        self.looked_at(free_bytes)

    def _begin(self) -> None:
        self._boot_ms = self._clock.boot_ms()
        self._between_ms = self._clock.wall_ms() - self._boot_ms

    def read(self) -> None:
        """The engine has read its clock."""
        now, boot = self._clock.wall_ms(), self._clock.boot_ms()
        slewed = (boot - self._boot_ms) // 1000
        self._stepped = abs(now - boot - self._between_ms) > STEP_MS + slewed
        if not self._stepped and now >= self._last_ms:
            self._ahead = False

    def accepted(self) -> None:
        """An operator believes the clock as it is."""
        self._begin()
        self._ahead = self._behind = self._stepped = False

    def looked_at(self, free_bytes: int) -> None:
        """The keeper has looked how much room there is."""
        self._full = free_bytes < RESERVE_BYTES

    @property
    def busy(self) -> bool:
        return self._stepped or self._ahead or self._behind or self._full
