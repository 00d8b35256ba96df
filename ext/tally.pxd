# What Cython may see of tally.c: declarations only, from watchword.h.
from core cimport ww_batch, ww_record, ww_tables
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "watchword.h" nogil:
    enum:
        WW_VERDICTS_MAX, WW_REASONS_MAX, WW_SIZES, WW_TIMES, WW_DRIFT_STEPS_MAX, WW_ENDED
        WW_EFFECT_LOCK, WW_EFFECT_SUSPEND
    ctypedef struct ww_tally:
        uint64_t turns, attempts, suspended, lanes, idle_lanes
        uint64_t verdicts[16][64]
        uint64_t lockouts[2]
        uint64_t sizes[14]
    ctypedef struct ww_times:
        uint64_t counts[192]
        uint64_t total, sum_ns
    ctypedef struct ww_fleet:
        uint64_t users, locked
        uint64_t devices[6]
        uint64_t drift[21]
    void ww_tally_turn(ww_tally *y, uint32_t attempts)
    void ww_tally_add(ww_tally *y, const ww_batch *b)
    void ww_times_add(ww_times *t, uint64_t ns, uint64_t count)
    uint32_t ww_fleet_add(const ww_tables *t, uint32_t start, uint32_t count, int64_t now_ms,
                          ww_fleet *f)
    int ww_row_tells(const uint8_t *row, size_t len, uint64_t events, uint64_t reasons,
                     uint8_t effects)
    int ww_record_tells(const ww_record *r, uint64_t events, uint64_t reasons, uint8_t effects)
