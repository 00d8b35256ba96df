# What Cython may see of entry.c and shares.c: declarations only, from watchword.h.
from core cimport ww_device, ww_tables, ww_user
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "watchword.h" nogil:
    enum:
        WW_RANGES_MAX
        WW_RANGE_BYTES
        WW_IDENTITY_BYTES
        WW_LIMIT_DAYS
        WW_SHARERS_MAX
        WW_SHARED_OWN
        WW_SHARED_LENT
        WW_EVENT_IDENTITY
    ctypedef struct ww_extra:
        uint8_t identity[16]
        uint64_t used_cents[5]
        uint32_t day
    ww_extra ww_extra_of(const ww_tables *t, const ww_user *u)
    const uint8_t *ww_ranges_of(const ww_tables *t, const ww_user *u, size_t *len)
    ww_device *ww_sharer_first(const ww_tables *t, const ww_device *d)
    ww_device *ww_sharer_next(const ww_tables *t, const ww_device *d, ww_device *sharer)
    uint32_t ww_sharers(const ww_tables *t, ww_user *u)
    int ww_key_shared(const ww_tables *t, const ww_device *d)
