# Pushes and phones at the door: one is opened, looked at, decided. Texts that people read are
# Python's and go by a push's place, which it has as long as it can be claimed or counts.

PUSH_STATES = ("claimed", "pending", "approved", "denied", "mismatched", "cancelled", "expired")
PUSHES_PER_LIST_MAX = 32


cdef const uint8_t *push_id(bytes id) except NULL:
    if len(id) != WW_PUSH_ID_BYTES:
        raise InvalidArgument("a push's id is 32 hex digits")
    return <const uint8_t *>PyBytes_AS_STRING(id)


def push_limit(Core core, uint32_t most):
    """At most so many pushes are kept, from an empty table on. For tests."""
    core.t.pushes.cap = min(most, <uint32_t>WW_PUSHES_MAX)


def push_open(Core core, bytes user, int platform, device, bytes id, int number, int64_t now_ms,
              int within=0):
    """A push for a legal name: (spent, expires_ms, serial, cancelled id or None). serial: of the
    phone that is asked, or None: nobody is. spent: it was not opened, for as many were asked as may
    be without an approval; that phone's manual challenge is left. None: the table is full."""
    cdef ww_push_ask a
    cdef int opened
    memset(&a, 0, sizeof(a))
    a.name = <const uint8_t *>PyBytes_AS_STRING(user)
    a.name_len = <size_t>len(user)
    a.platform, a.number, a.within = <uint8_t>platform, <uint8_t>number, <uint8_t>within
    memcpy(a.id, push_id(id), WW_PUSH_ID_BYTES)
    if device is not None:
        a.has_serial = 1
        a.serial = <const uint8_t *>PyBytes_AS_STRING(device)
        a.serial_len = <size_t>len(device)
    opened = ww_push_open(&core.t, &core.p, &a, now_ms)
    if opened == WW_PUSH_FULL:
        return None
    cancelled = (<char *>a.cancelled)[:WW_PUSH_ID_BYTES] if a.cancels else None
    return opened == WW_PUSH_SPENT, a.expires_ms, core.serial_of(a.cold), cancelled


def push_found(Core core, bytes id, int64_t now_ms):
    """(what has become of it, number, platform, until_ms, the public key of its phone or None) of a
    push; None: there is no such."""
    cdef ww_push *push = ww_push_find(&core.t, push_id(id))
    cdef ww_device *d
    if push == NULL:
        return None
    d = ww_push_phone(&core.t, push)
    phone = None if d == NULL else core.phone_of(d)
    return (PUSH_STATES[ww_push_stands(&core.t, push, now_ms)], push.number, push.platform,
            push.until_ms, phone)


def push_decide(Core core, bytes id, bytes phone, str state, bint biometric, int64_t now_ms):
    """A pending push of this phone is approved, denied or mismatched from now on; what has become
    of it; None: it is not, or no longer, this phone's."""
    cdef ww_push *push = ww_push_find(&core.t, push_id(id))
    cdef int to = PUSH_STATES.index(state)
    found = push_found(core, id, now_ms)
    if found is None or found[4] != phone:
        return None
    if to in (WW_PUSH_APPROVED, WW_PUSH_DENIED, WW_PUSH_MISMATCHED) \
            and ww_push_stands(&core.t, push, now_ms) == WW_PUSH_PENDING:
        push.state, push.biometric = <uint8_t>to, biometric
    return PUSH_STATES[ww_push_stands(&core.t, push, now_ms)]


def push_list(Core core, bytes user, uint32_t device, int64_t now_ms):
    """(id, what has become of it, platform, until_ms) of the pushes that ask this device of
    a user and have not run out, the newest first; claimed ones are left out."""
    cdef uint32_t places[32]
    cdef uint64_t hash = ww_name_hash(&core.t, <const uint8_t *>PyBytes_AS_STRING(user), len(user))
    cdef uint32_t i, count = ww_push_list(&core.t, hash, now_ms, places, PUSHES_PER_LIST_MAX)
    cdef ww_push *push
    cdef list found = []
    for i in range(count):
        push = &core.t.pushes.at[places[i]]
        stands = ww_push_stands(&core.t, push, now_ms)
        if push.device == device and ww_push_phone(&core.t, push) != NULL and stands:
            found.append(((<char *>push.id)[:WW_PUSH_ID_BYTES], PUSH_STATES[stands],
                          push.platform, push.until_ms))
    return found


def phone_pin_fits(Core core, bytes phone, bytes pin_hash):
    """Whether no user of this phone has another PIN."""
    if len(phone) != WW_PHONE_BYTES:
        raise InvalidArgument(f"a phone's public key is kept as {WW_PHONE_BYTES} bytes")
    return bool(ww_phone_pin_fits(&core.t, <const uint8_t *>PyBytes_AS_STRING(phone),
                                  <const uint8_t *>PyBytes_AS_STRING(pin_hash), len(pin_hash)))


def token_is_for(Core core, bytes id, bytes purpose):
    """Whether a challenge id is sealed by us, and for this purpose."""
    cdef ww_token token
    cdef uint8_t[128] posed
    if ww_token_open(&core.t, <const uint8_t *>PyBytes_AS_STRING(id), len(id), &token, posed):
        return False
    return token.purpose == ww_purpose(&core.t, <const uint8_t *>PyBytes_AS_STRING(purpose),
                                       len(purpose))
