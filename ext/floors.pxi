# What a restored store takes for used up (floors.c), as records for a row.

def floors(Core core, uint32_t at, int64_t ended_ms, uint32_t issues, uint32_t answers,
           uint32_t units):
    """Records of the users from slot `at` on, at most `units`, and the slot to go on with; nothing
    is applied. The rest as ww_lost has it."""
    cdef ww_lost lost
    cdef uint32_t slot = at, used
    cdef bytes out
    lost.ended_ms, lost.issues, lost.answers = ended_ms, issues, answers
    units = max(units, <uint32_t>WW_HELD_PER_USER_MAX)
    out = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>units * WW_RECORD_BYTES)
    used = ww_floors(&core.t, &lost, &slot, <ww_record *>PyBytes_AS_STRING(out), units)
    return out[:<Py_ssize_t>used * WW_RECORD_BYTES], slot
