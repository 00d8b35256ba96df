"""The engine's own clock, guarded: integer milliseconds, and a doubt when time has jumped.

RULES section 5: wall time is held against the time since boot. A step of more than 60 seconds
either way is a doubt that stays until the step is undone or an operator accepts it.
"""

import operator
import time
from collections.abc import Callable

from watchword.errors import InvalidArgument

__all__ = ["AHEAD_MS_MAX", "STEP_MS_MAX", "TIME_MS_MAX", "SystemClock", "whole_ms"]

STEP_MS_MAX = 60_000
AHEAD_MS_MAX = 7 * 86_400_000
TIME_MS_MAX = 10**15  # either way: some 31,000 years, what records can hold
SLEW_PER_MILLION = 1_000  # what a time daemon may correct without it being a step


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def whole_ms(clock: Callable[[], int]) -> Callable[[], int]:
    """A caller's clock, whose every time is looked at. Errors: InvalidArgument, before anything is
    done at that time."""

    def told() -> int:
        now = clock()
        try:
            whole = operator.index(now)
        except TypeError:
            raise InvalidArgument(
                f"clock gives an int, milliseconds since 1970, not {type(now).__name__}"
            ) from None
        if not -TIME_MS_MAX <= whole <= TIME_MS_MAX:
            raise InvalidArgument("clock gives milliseconds since 1970, at most 10**15 either way")
        return whole

    return told


class SystemClock:
    """Wall time in milliseconds; `doubt` says why it is not to be believed, or is empty."""

    def __init__(self, last_time_ms: int = 0) -> None:
        """last_time_ms: the time of the store's last record, 0 when there is none."""
        now = wall_ms()
        self._began = boot_ms()
        self._offset = now - self._began
        self._opened = ""
        self.doubt = ""
        if last_time_ms and now < last_time_ms:
            self._opened = f"the clock is {last_time_ms - now} ms behind the last record"
        elif last_time_ms and now - last_time_ms > AHEAD_MS_MAX:
            days = (now - last_time_ms) / 86_400_000
            self._opened = f"the clock is {days:.1f} days ahead of the last record"
        self._last = last_time_ms
        self.doubt = self._opened

    def __call__(self) -> int:
        now, boot = wall_ms(), boot_ms()
        step = now - boot - self._offset
        slew = (boot - self._began) * SLEW_PER_MILLION // 1_000_000
        if abs(step) > STEP_MS_MAX + slew:
            self.doubt = f"the clock has stepped by {step} ms"
        elif self._opened.endswith("behind the last record") and now >= self._last:
            self.doubt = self._opened = ""
        else:
            self.doubt = self._opened
        return now

    def accept(self) -> str:
        """An operator believes the clock as it is now; returns what was doubted."""
        doubted, self.doubt, self._opened = self.doubt, "", ""
        self._began = boot_ms()
        self._offset = wall_ms() - self._began
        return doubted
