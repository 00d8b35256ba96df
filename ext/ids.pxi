# Request ids at the door: a table for each gateway that gives them, and which row the oldest live
# one is in. What an id does is decided in ids.c.

MISUSED_ID = "request_id was given before, with other arguments"

cdef enum:
    IDS_MARK_MS = 1000      # rows with ids are noted so far apart


cdef ww_ids *ids_of(Core core, bytes gateway) except NULL:
    """The table of a gateway, made when it first gives an id."""
    cdef Region region = core.ids.get(gateway)
    if region is None:
        if len(core.ids) >= WW_IDS_GATEWAYS_MAX:
            raise Busy(f"{WW_IDS_GATEWAYS_MAX} gateways give request ids, and no further one may")
        region = Region(sizeof(ww_ids))  # resident as it is used
        ww_ids_init(&core.t, <ww_ids *>region.at, <const uint8_t *>PyBytes_AS_STRING(gateway),
                    len(gateway))
        core.ids[gateway] = region
    return <ww_ids *>region.at


cdef bytes gateway_at(bytes names, uint32_t index):
    """One of the packed names of a row."""
    cdef Py_ssize_t at = 0
    cdef uint32_t i
    for i in range(index):
        if at < len(names):
            at += 1 + <uint8_t>names[at]
    return names[at + 1:at + 1 + <uint8_t>names[at]] if at < len(names) else b""


cdef ids_noted(Core core, int64_t turn, int64_t at):
    """A row with ids was made, or replayed."""
    while core.ids_marks and at - core.ids_marks[0][1] >= WW_ID_MS + IDS_MARK_MS:
        core.ids_marks.popleft()
    if not core.ids_marks or at - core.ids_marked_ms >= IDS_MARK_MS:
        core.ids_marks.append((turn, at))
        core.ids_marked_ms = at


cdef int ids_replayed(Core core, const uint8_t *row, size_t n, int64_t at_ms) except -1:
    """The ids of a row that was looked at."""
    cdef ww_row h
    cdef const ww_record *r = records_in(row, n, &h)
    cdef bytes names = (<const char *>row + sizeof(ww_row))[:h.names_bytes]
    cdef uint32_t i = 0
    while i < h.units:
        if ww_has_id(&r[i]):
            ww_ids_replay(&core.t, ids_of(core, gateway_at(names, r[i].gateway)), &r[i], at_ms)
        i += 1 + r[i].tail
    return 0


def ids_behind(Core core, row, int64_t turn, int64_t at_ms):
    """Of a row that pages hold, the ids; at_ms: the greatest time before it. Returns that of it."""
    cdef Py_buffer b
    cdef ww_row_needs needs
    PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
    try:
        if ww_row_needed(&core.t, <const uint8_t *>b.buf, b.len, &needs):
            raise InvalidArgument("that is no journal row")
        at_ms = max(at_ms, needs.time_ms)
        if needs.ids:
            ids_replayed(core, <const uint8_t *>b.buf, b.len, at_ms)
            ids_noted(core, turn, at_ms)
        return at_ms
    finally:
        PyBuffer_Release(&b)


def ids_from(Core core):
    """(turn, time) of a row before which no id is live, or (0, 0): none is anywhere."""
    while core.ids_marks and core.t.latest_ms - core.ids_marks[0][1] >= WW_ID_MS + IDS_MARK_MS:
        core.ids_marks.popleft()
    return core.ids_marks[0] if core.ids_marks else (0, 0)


def ids_held(Core core):
    """How many ids are kept, by gateway; some may have run out."""
    cdef Region region
    held = {}
    for gateway, region in core.ids.items():
        held[gateway.decode("utf-8", "replace")] = (<ww_ids *>region.at).count
    return held


def id_text(request_id):
    """A request id as bytes. Errors: InvalidArgument."""
    if isinstance(request_id, str):
        request_id = request_id.encode("utf-8", "surrogatepass")
    if (not isinstance(request_id, bytes)
            or not WW_ID_BYTES_MIN <= len(request_id) <= WW_ID_BYTES_MAX):
        raise InvalidArgument(
            f"request_id is {WW_ID_BYTES_MIN} to {WW_ID_BYTES_MAX} bytes, or as many of text")
    return request_id


def sip128(bytes key, bytes text):
    """SipHash-2-4 of 128 bits, under a key of 16 bytes."""
    cdef uint64_t k[2]
    cdef uint64_t out[2]
    if len(key) != 16:
        raise InvalidArgument("key is 16 bytes")
    memcpy(k, PyBytes_AS_STRING(key), 16)
    ww_sip128(k, <const uint8_t *>PyBytes_AS_STRING(text), len(text), out)
    return PyBytes_FromStringAndSize(<char *>out, 16)
