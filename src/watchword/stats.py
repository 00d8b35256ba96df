"""What an engine has done since it was opened, as counts and times, and how it stands.

For operators: these counts tell one refusal from another, so that no gateway may see them. Rule:
nothing is waited for and no lock is taken, so a figure may be a turn older than its neighbour.
"""

from collections.abc import Sequence
from typing import Any

from watchword._engine import Code, Reason, Times, kernel_in_use, tally
from watchword.keeper import RESERVE_BYTES, UNCOVERED_BYTES_MAX
from watchword.parts import Parts

__all__ = ["Stats", "percentile_us", "place_us", "times_of"]

VERDICTS = {code.value: code.name for code in Code}
REASONS = {reason.value: reason.name for reason in Reason}


class Stats(Parts):
    """stats, counters."""

    def counters(self) -> dict[str, int]:
        """Figures for operators: users, memory, turns, and the store's own."""
        with self._lock:
            return {
                "users": self._core.users_live,
                "memory_bytes": self._core.memory_bytes,
                "turns": self._turn,
                **self._store.counters(),
                **({} if self._courier is None else self._courier.counters()),
            }

    def stats(self) -> dict[str, Any]:
        """Counts by name since the engine was opened, and gauges as they stand.

        verdicts: by verdict, then by reason. lockouts: begun, of users and of names that nobody
        has. turn_sizes: turns of 1 attempt, 2, 3 to 4, 5 to 8, ... lanes, idle_lanes: of the
        kernel's vectors, filled and not. commits: how long the disk took (times_of).
        """
        with self._lock:
            if self._closed:    # one whose disk failed still tells how it stood
                self._alive()
        done = tally(self._core)
        verdicts: dict[str, dict[str, int]] = {}
        for (verdict, reason), count in done["verdicts"].items():
            named = verdicts.setdefault(VERDICTS.get(verdict, str(verdict)), {})
            named[REASONS.get(reason, str(reason))] = count
        users, nobody = done["lockouts"]
        keeper = self._keeper
        return {
            "turns": done["turns"],
            "attempts": done["attempts"],
            "verdicts": verdicts,
            "lockouts": {"users": users, "nobody": nobody},
            "suspended": done["suspended"],
            "turn_sizes": done["sizes"],
            "kernel": kernel_in_use(),
            "lanes": done["lanes"],
            "idle_lanes": done["idle_lanes"],
            "commits": times_of(self._commits.times),
            "users": self._core.users_live,
            "memory_bytes": self._core.memory_bytes,
            "head": self._turn,
            "lag_bytes": self._uncovered(),
            "lag_bytes_max": UNCOVERED_BYTES_MAX,
            "disk_free_bytes": 0 if keeper is None else keeper.disk_free_bytes,
            "disk_reserve_bytes": RESERVE_BYTES,
            "clock_doubt": self.clock_doubt,
            "busy_because": self.busy_because,
        }


def times_of(times: Times) -> dict[str, Any]:
    """A histogram of times: how many, their sum, and how many at each place (place_us)."""
    return {
        "count": times.total,
        "sum_us": times.sum_ns // 1000,
        "places": times.counts(),
    }


def place_us(place: int) -> int:
    """The shortest time at a place of a histogram, in microseconds."""
    octave, eighth = divmod(place, 8)
    return place if octave == 0 else (8 + eighth) << (octave - 1)


def percentile_us(places: Sequence[int], fraction: float) -> int:
    """The time that so many of all did not exceed, a ninth too long at most; 0: there are none."""
    left = sum(places) * fraction
    if not left:
        return 0
    for place, count in enumerate(places):
        left -= count
        if count and left <= 0:
            return place_us(place + 1)
    return place_us(len(places))
