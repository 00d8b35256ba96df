# Devices that come and go, at the door: how one stands now, its dates, and what has come due.

cdef extern from "watchword.h" nogil:
    ctypedef struct ww_dates:
        uint32_t delivery_day, replaces
        int64_t activates_ms, expires_ms
    int ww_device_stands(const ww_tables *t, ww_user *u, const ww_device *d, int64_t at_ms)
    int ww_device_dates(const ww_device *d, ww_dates *dates)
    int ww_user_due(const ww_tables *t, ww_user *u, int64_t at_ms)


cdef int stands_at(ww_tables *t, ww_user *u, ww_device *d, int64_t now_ms) noexcept:
    return ww_device_stands(t, u, d, max(now_ms, t.latest_ms))


cdef tuple dates_of(const ww_device *d):
    """(day of delivery since 1970, number replaced, activates_ms, expires_ms), or None."""
    cdef ww_dates dates
    if not ww_device_dates(d, &dates):
        return None
    return dates.delivery_day, dates.replaces, dates.activates_ms, dates.expires_ms


def due(Core core, uint32_t slot, int64_t now_ms):
    """The moment by which something has come due of a user and is not recorded, or None."""
    cdef int64_t at_ms = max(now_ms, core.t.latest_ms)
    if not ww_user_due(&core.t, &core.t.users[slot], at_ms):
        return None
    return at_ms
