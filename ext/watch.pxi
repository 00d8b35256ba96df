# What operators watch, as Python reads it: counts, times, and how the fleet stands.
#
# The rule: nothing here is read on the road of a login, and what is added there is added in C, once
# a turn, when its answers have left.

cimport cython
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

EFFECT_LOCK, EFFECT_SUSPEND = WW_EFFECT_LOCK, WW_EFFECT_SUSPEND


cdef inline uint64_t monotonic_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1_000_000_000 + <uint64_t>now.tv_nsec


@cython.final
cdef class Times:
    """A histogram of times: whole microseconds one by one below 8, then eight places for each power
    of two, up to a minute."""

    cdef ww_times t

    def add(self, uint64_t ns, uint64_t count=1):
        ww_times_add(&self.t, ns, count)

    @property
    def total(self):
        return self.t.total

    @property
    def sum_ns(self):
        return self.t.sum_ns

    def counts(self):
        """How many there are at each place."""
        return [self.t.counts[i] for i in range(WW_TIMES)]


def tally(Core core):
    """What turns came to since the engine was opened: counts by name; `verdicts` by (verdict,
    reason), `sizes` of turns by power of two, `lockouts` of users and of names nobody has."""
    cdef ww_tally *y = &core.y
    return {
        "turns": y.turns,
        "attempts": y.attempts,
        "lanes": y.lanes,
        "idle_lanes": y.idle_lanes,
        "suspended": y.suspended,
        "lockouts": (y.lockouts[0], y.lockouts[1]),
        "sizes": [y.sizes[i] for i in range(WW_SIZES)],
        "verdicts": {(v, r): y.verdicts[v][r] for v in range(WW_VERDICTS_MAX)
                     for r in range(WW_REASONS_MAX) if y.verdicts[v][r]},
    }


cdef class Fleet:
    """Users and devices as they stand, added up some slots at a time."""

    cdef ww_fleet f

    def add(self, Core core, uint32_t start, uint32_t count, int64_t now_ms):
        """Slots from `start` on. The engine's lock is held. Returns where to go on; 0: nowhere."""
        return ww_fleet_add(&core.t, start, count, now_ms, &self.f)

    @property
    def users(self):
        return self.f.users

    @property
    def locked(self):
        return self.f.locked

    @property
    def devices(self):
        """How many there are in each state."""
        return {DEVICE_STATES[i]: self.f.devices[i] for i in range(WW_ENDED + 1)}

    @property
    def drift(self):
        """How many active TOTP devices run so many steps ahead; behind, where it is negative."""
        return {i - WW_DRIFT_STEPS_MAX: self.f.drift[i]
                for i in range(2 * WW_DRIFT_STEPS_MAX + 1)}
