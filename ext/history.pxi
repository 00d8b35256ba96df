# The journal's rows as audit reads them: records picked out of a row, and a row without secrets.

cdef const ww_record *records_in(const uint8_t *row, size_t n, ww_row *h) except NULL:
    """The records of a row whose lengths agree; the rest is whoever walks them to see to."""
    memset(h, 0, sizeof(ww_row))
    if n >= sizeof(ww_row):
        memcpy(h, row, sizeof(ww_row))
    if (h.magic != WW_ROW_MAGIC or h.version != WW_ROW_VERSION or h.names_bytes > n
            or n != sizeof(ww_row) + h.names_bytes + <size_t>h.units * WW_RECORD_BYTES):
        raise InvalidArgument("that is no journal row")
    return <const ww_record *>(row + sizeof(ww_row) + h.names_bytes)


cdef object record_of(const ww_record *r):
    return (r.event, r.verdict, r.reason, r.effects, r.gateway, r.place, r.drift, r.user, r.moving,
            r.device, r.lock_ms,
            PyBytes_FromStringAndSize(<const char *>(r + 1), r.tail * WW_RECORD_BYTES))


def row_gateways(row):
    """The gateways' names in a row's header."""
    cdef Py_buffer b
    cdef ww_row h
    cdef size_t at = sizeof(ww_row), end
    PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
    try:
        records_in(<const uint8_t *>b.buf, b.len, &h)
        end = at + h.names_bytes
        names = []
        while at < end and len(names) < h.gateways:
            n = (<const uint8_t *>b.buf)[at]
            names.append((<const char *>b.buf)[at + 1:min(at + 1 + n, end)].decode(
                "utf-8", "replace"))
            at += 1 + n
        return tuple(names)
    finally:
        PyBuffer_Release(&b)


cdef bint says(const ww_record *r, bytes text) noexcept:
    """Whether an enrolment is of a user with this name, or of a device with this serial."""
    cdef const uint8_t *at = <const uint8_t *>(r + 1)
    cdef size_t n = r.lock_ms, room = <size_t>r.tail * WW_RECORD_BYTES
    if r.event == WW_EVENT_DEVICE_ADD and room > WW_SPEC_HEAD_BYTES:
        n = at[11]
        room -= WW_SPEC_HEAD_BYTES + at[10]
        at += WW_SPEC_HEAD_BYTES + at[10]
    return n == <size_t>len(text) and n <= room and not memcmp(at, PyBytes_AS_STRING(text), n)


def row_records(row, uint64_t events, uint32_t verdicts=0, users=None, devices=None,
                bytes text=None):
    """What a row tells: a list of (place in the row, record, what else the attempt touched).

    events: set of 1 << event; verdicts: the same of verdicts, for attempts; users: a set of ids
    and keyed hashes, which notes need not be of; devices: a set of numbers, of which an attempt
    touched one, but for notes; text: the name or serial of an enrolment. 0 and None: any. A record
    is the fields of ww_record, tail's length left out and its bytes at the end.
    """
    cdef Py_buffer b
    cdef ww_row h
    cdef const ww_record *r
    cdef const ww_record *also
    cdef uint32_t n = 0, stop, after
    cdef bint wanted
    PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
    try:
        r = records_in(<const uint8_t *>b.buf, b.len, &h)
        found = []
        while n < h.units:
            stop = n + 1 + r[n].tail
            if stop > h.units:
                raise InvalidArgument("a record passes the end of its row")
            after = stop
            while after < h.units and r[after].event == WW_EVENT_ALSO:
                after += 1 + r[after].tail
            wanted = r[n].event < 64 and events >> r[n].event & 1
            if wanted and verdicts:
                wanted = ww_is_attempt(&r[n]) and verdicts >> r[n].verdict & 1
            if wanted and users is not None and r[n].event != WW_EVENT_NOTE:
                wanted = r[n].user in users
            if wanted and text is not None:
                wanted = says(&r[n], text)
            if wanted:
                others = []
                while stop < after:
                    also = &r[stop]
                    others.append((also.device, also.effects, also.moving))
                    stop += 1 + also.tail
                if (devices is None or r[n].event == WW_EVENT_NOTE or r[n].device in devices
                        or any([other[0] in devices for other in others])):
                    found.append((n, record_of(&r[n]), others))
            n = after
        return found
    finally:
        PyBuffer_Release(&b)


def row_tells(row, uint64_t events, uint64_t reasons, uint8_t effects):
    """Whether a row that was just made holds a record of these events (1 << event), or an attempt
    with one of these reasons (1 << reason) or effects."""
    return bool(ww_row_tells(<const uint8_t *>PyBytes_AS_STRING(<bytes?>row), len(row), events,
                             reasons, effects))


def row_told(row, uint64_t events, uint64_t reasons, uint8_t effects, Py_ssize_t most):
    """At most `most` of those records, as row_records has them, and how many more there are."""
    cdef Py_buffer b
    cdef ww_row h
    cdef const ww_record *r
    cdef uint32_t n = 0
    cdef Py_ssize_t more = 0
    PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
    try:
        r = records_in(<const uint8_t *>b.buf, b.len, &h)
        found = []
        while n < h.units:
            if n + 1 + r[n].tail > h.units:
                raise InvalidArgument("a record passes the end of its row")
            if ww_record_tells(&r[n], events, reasons, effects):
                if len(found) < most:
                    found.append((n, record_of(&r[n]), []))
                else:
                    more += 1
            n += 1 + r[n].tail
        return found, more
    finally:
        PyBuffer_Release(&b)


def bare_row(row, stand_in):
    """A copy of a row without a secret: stand_in(key) takes a key's place, zeros that of a PIN's
    digest and of what is kept of a passcode but for how long it is good."""
    cdef Py_buffer b
    cdef ww_row h
    cdef ww_record *r
    cdef uint32_t n = 0
    cdef uint8_t *spec
    cdef bytes key, other
    PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
    try:
        records_in(<const uint8_t *>b.buf, b.len, &h)
        out = bytearray(PyBytes_FromStringAndSize(<const char *>b.buf, b.len))
    finally:
        PyBuffer_Release(&b)
    PyObject_GetBuffer(out, &b, PyBUF_WRITABLE)
    try:
        r = <ww_record *>records_in(<const uint8_t *>b.buf, b.len, &h)
        while n < h.units:
            if n + 1 + r[n].tail > h.units:
                raise InvalidArgument("a record passes the end of its row")
            if r[n].event == WW_EVENT_DEVICE_ADD:
                spec = <uint8_t *>(&r[n] + 1)
                if r[n].tail * WW_RECORD_BYTES < WW_SPEC_HEAD_BYTES:
                    raise InvalidArgument("an enrolment passes the end of its record")
                size = WW_SPEC_HEAD_BYTES + spec[10] + spec[11] + spec[12] + spec[13]
                if size > r[n].tail * WW_RECORD_BYTES:
                    raise InvalidArgument("an enrolment passes the end of its record")
                if spec[0] == WW_KIND_PASSCODE and spec[14] == WW_TEMPORARY_PASSCODE:
                    memset(spec + WW_SPEC_HEAD_BYTES, 0, min(<int>spec[10], 48))
                else:
                    key = (<char *>spec + WW_SPEC_HEAD_BYTES)[:spec[10]]
                    other = stand_in(key)
                    if len(other) != len(key):
                        raise InvalidArgument("a stand-in is as long as its key")
                    memcpy(spec + WW_SPEC_HEAD_BYTES, PyBytes_AS_STRING(other), len(other))
                memset(spec + WW_SPEC_HEAD_BYTES + spec[10] + spec[11] + spec[12], 0, spec[13])
            elif ww_has_id(&r[n]):      # what was said, though but as a keyed digest
                memset(<uint8_t *>&r[n + r[n].tail] + 8, 0, 8)
                memset(<uint8_t *>&r[n + r[n].tail] + 20, 0, 4)
            elif r[n].event == WW_EVENT_TOMBSTONE and r[n].tail:
                memset(&r[n] + 1, 0, 16)
            elif (r[n].event == WW_EVENT_PIN or r[n].event == WW_EVENT_IDENTITY
                  or r[n].event > WW_EVENT_LAST):
                memset(&r[n] + 1, 0, <size_t>r[n].tail * WW_RECORD_BYTES)
            n += 1 + r[n].tail
        return bytes(out)
    finally:
        PyBuffer_Release(&b)


OUTCOME_BYTES = sizeof(ww_outcome)


def whatif(Core core, row, out, Py_ssize_t at):
    """A row on a core of its own: acts applied, attempts decided anew under the core's policy.

    Outcomes (ww_outcome) go into the writable buffer `out` from number `at` on. Returns how many
    there were, and how many acts did not fit; None: out lacks room, and nothing happened.
    """
    cdef Py_buffer b, o
    cdef ww_row h
    cdef ww_row_needs needs
    cdef uint32_t count = 0, lost = 0
    cdef int bad
    PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
    PyObject_GetBuffer(out, &o, PyBUF_WRITABLE)
    try:
        records_in(<const uint8_t *>b.buf, b.len, &h)
        if o.len // <Py_ssize_t>sizeof(ww_outcome) - at < <Py_ssize_t>h.units:
            return None
        if ww_row_needed(&core.t, <const uint8_t *>b.buf, b.len, &needs):
            raise InvalidArgument("that is no journal row")
        core._room(needs.users, needs.wides, needs.cold_bytes)
        bad = ww_whatif_row(&core.t, &core.p, <const uint8_t *>b.buf, b.len,
                            <ww_outcome *>o.buf + at, &count, &lost)
        assert not bad, "the row was looked at"
        return count, lost
    finally:
        PyBuffer_Release(&b)
        PyBuffer_Release(&o)


def whatif_forget(Core core):
    """Counts that no store keeps begin anew: the next row is of another file of the journal."""
    ww_whatif_forget(&core.t)
