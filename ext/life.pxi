# Devices that come and go, at the door: how one stands now, its dates, and what has come due.

cdef int stands_at(ww_tables *t, ww_user *u, ww_device *d, int64_t now_ms) noexcept:
    return ww_device_stands(t, u, d, max(now_ms, t.latest_ms))


cdef tuple dates_of(const ww_device *d):
    """(day of delivery since 1970, number replaced, activates_ms, expires_ms), or None."""
    if not d.dated:
        return None
    return (d.u.far.dates.delivery_day, d.u.far.dates.replaces, d.u.far.dates.activates_ms,
            d.u.far.dates.expires_ms)


def due(Core core, uint32_t slot, int64_t now_ms):
    """The moment by which something has come due of a user and is not recorded, or None."""
    cdef int64_t at_ms = max(now_ms, core.t.latest_ms)
    if not core.t.users[slot].dated or not ww_user_due(&core.t, &core.t.users[slot], at_ms):
        return None
    return at_ms
