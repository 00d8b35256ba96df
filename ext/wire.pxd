# What Cython may see of wire.c: declarations only, from watchword.h.
from libc.stdint cimport uint8_t, uint32_t

cdef extern from "watchword.h" nogil:
    ctypedef struct ww_span:
        uint32_t at, len
    ctypedef enum ww_wire_status:
        WW_WIRE_MORE
        WW_WIRE_COMMAND
        WW_WIRE_ROOM
        WW_WIRE_HTTP
        WW_WIRE_BAD_MULTIBULK
        WW_WIRE_BAD_BULK
        WW_WIRE_EXPECTED_BULK
        WW_WIRE_TOO_BIG_INLINE
        WW_WIRE_UNBALANCED
        WW_WIRE_TOO_BIG
        WW_WIRE_TOO_MANY_ARGS
    ctypedef struct ww_wire:
        ww_span *args
        uint32_t args_cap, argc, expected, at, end, scan
        uint8_t bad, many
    ww_wire_status ww_wire_parse(ww_wire *w, uint8_t *buf, size_t len)
    void ww_wire_next(ww_wire *w)
    const char *ww_wire_error(ww_wire_status status)
    int ww_wire_is(const uint8_t *buf, ww_span s, const char *word)
