# What few users have, and devices that several of them share, as the door looks at both.

def extra_of(Core core, uint32_t slot):
    """(opted out, ranges packed, identity digest or nothing, newest business day with a
    withdrawal, cents withdrawn on it and the four before it) of a user."""
    cdef ww_user *u = &core.t.users[slot]
    cdef ww_extra x = ww_extra_of(&core.t, u)
    cdef size_t n = 0
    cdef const uint8_t *ranges = ww_ranges_of(&core.t, u, &n)
    cdef bytes identity = PyBytes_FromStringAndSize(<char *>x.identity, WW_IDENTITY_BYTES)
    return (bool(u.opted_out), PyBytes_FromStringAndSize(<const char *>ranges, <Py_ssize_t>n),
            identity if identity.strip(b"\0") else b"", x.day,
            tuple([x.used_cents[i] for i in range(WW_LIMIT_DAYS)]))


def rank_of(Core core, uint32_t slot, uint32_t number):
    """The rank of a user's device under the policy in force."""
    cdef ww_device *d = ww_device_find(&core.t, &core.t.users[slot], number)
    return 0 if d == NULL else ww_device_rank(&core.p, d)


def device_secrets(Core core, uint32_t slot, uint32_t number):
    """(key, what is kept of its PIN) of a device, for another user's line."""
    cdef ww_device *d = ww_device_find(&core.t, &core.t.users[slot], number)
    cdef size_t key_len = 0, pin_len = 0
    cdef const uint8_t *key = ww_device_key(&core.t, d, &key_len)
    cdef const uint8_t *pin = ww_device_pin(&core.t, d, &pin_len)
    return (PyBytes_FromStringAndSize(<const char *>key, <Py_ssize_t>key_len),
            PyBytes_FromStringAndSize(<const char *>pin, <Py_ssize_t>pin_len))


def sharers_of(Core core, uint32_t slot, uint32_t number):
    """(shared, sharers): 0, SHARED_OWN or SHARED_LENT; and of every other user who shares the
    device (slot, number of their device, whether it is lent to them)."""
    cdef ww_device *d = ww_device_find(&core.t, &core.t.users[slot], number)
    cdef ww_device *other
    cdef ww_far *far
    if d == NULL or not d.wide:
        return 0, []
    found = []
    other = ww_sharer_first(&core.t, d)
    while other != NULL:
        far = ww_far_of(other)
        found.append((far.owner, other.number, far.shared == WW_SHARED_LENT))
        other = ww_sharer_next(&core.t, d, other)
    return ww_far_of(d).shared, sorted(found)


def key_shared(Core core, uint32_t slot, uint32_t number):
    """Whether a device is not shared, and another one of its key is or was."""
    cdef ww_device *d = ww_device_find(&core.t, &core.t.users[slot], number)
    return d != NULL and bool(ww_key_shared(&core.t, d))


def sharers_count(Core core, uint32_t slot):
    """How many further users all devices of one are shared with."""
    return ww_sharers(&core.t, &core.t.users[slot])


def anyone_shares(Core core):
    """Whether a device of this store is shared, or was."""
    return core.t.shared_used != 0


RANGES_MAX = WW_RANGES_MAX
RANGE_BYTES = WW_RANGE_BYTES
LIMIT_DAYS = WW_LIMIT_DAYS
SHARERS_MAX = WW_SHARERS_MAX
SHARED_OWN, SHARED_LENT = WW_SHARED_OWN, WW_SHARED_LENT
