# What Cython may see of request ids, from watchword.h; tables, batches and records are core.pxd's.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "watchword.h" nogil:
    enum:
        WW_ID_BYTES_MIN
        WW_ID_BYTES_MAX
        WW_ID_MS
        WW_IDS_MAX
        WW_IDS_GATEWAYS_MAX
        WW_ID_MISUSED

    ctypedef struct ww_ids:
        uint64_t key[2]
        uint32_t first, count

    ctypedef struct ww_given:
        ww_ids *ids
        uint32_t at, many
        uint8_t outcome

    void ww_sip128(const uint64_t *key, const uint8_t *text, size_t len, uint64_t *out)
    void ww_ids_init(const void *tables, ww_ids *ids, const uint8_t *gateway, size_t len)
    void ww_given_id(ww_given *g, const uint8_t *text, size_t len, uint32_t number)
    void ww_given_said(ww_given *g, const void *batch, uint64_t password)
    void ww_given_together(ww_given *first, uint32_t many)
    void ww_ids_replay(const void *tables, ww_ids *ids, const void *record, int64_t at_ms)

cdef extern from "internal.h" nogil:
    bint ww_has_id(const void *record)
    bint ww_is_attempt(const void *record)
