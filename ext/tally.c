/* What operators watch: verdicts counted a batch at a time, times in a histogram, the fleet's
 * drift. Rule: counting changes no table and is never on the road between a verdict and its answer;
 * counts that tell one refusal from another are for operators alone, never for a gateway.
 */
#include "internal.h"

#include <string.h>

static_assert((int)WW_VERDICTS_MAX > (int)WW_BUSY, "every verdict has its place");
static_assert((int)WW_REASONS_MAX > (int)WW_REASON_CANCELLED, "every reason has its place");
static_assert((1u << (WW_SIZES - 1)) == WW_BATCH_ATTEMPTS_MAX, "the largest batch has the last");
static_assert(WW_TIMES_PER_OCTAVE == 8, "ww_times_add takes three bits below the first");

static uint32_t bits_of(uint64_t n) { return n ? 64 - (uint32_t)__builtin_clzll(n) : 0; }

void ww_tally_turn(ww_tally *y, uint32_t attempts)
{
    uint32_t size = bits_of(attempts - 1u); /* 1, 2, 3 to 4, 5 to 8, ... */
    if (!attempts)
        return;
    y->turns++;
    y->attempts += attempts;
    y->sizes[size < WW_SIZES ? size : WW_SIZES - 1]++;
}

/* Records lie closer than attempts and say the same; an attempt that wrote none says it itself. */
void ww_tally_add(ww_tally *y, const ww_batch *b)
{
    uint32_t told = 0;
    y->lanes += b->lanes;
    y->idle_lanes += b->idle_lanes;
    for (uint32_t n = 0; n < b->units; n += 1u + b->records[n].tail) {
        const ww_record *r = &b->records[n];
        y->suspended += (r->effects & WW_EFFECT_SUSPEND) != 0;
        if (r->event == WW_EVENT_ALSO || r->event == WW_EVENT_DUE)
            continue;
        told++;
        y->verdicts[r->verdict % WW_VERDICTS_MAX][r->reason % WW_REASONS_MAX]++;
        y->lockouts[(r->place & WW_PLACE_UNKNOWN) != 0] +=
            ((r->effects & WW_EFFECT_LOCK) != 0) & (r->verdict != WW_LOCKED);
    }
    for (uint32_t i = 0; told < b->count && i < b->count; i++) {
        const ww_attempt *a = &b->attempts[i];
        if (a->units > a->came_due)
            continue;
        told++;
        y->verdicts[a->verdict % WW_VERDICTS_MAX][a->reason % WW_REASONS_MAX]++;
    }
    for (uint32_t i = 0; i < b->given_count; i++) { /* what was told again was counted before */
        const ww_attempt *a = &b->attempts[b->given[i].at];
        if (b->given[i].outcome == WW_ID_AGAIN || b->given[i].outcome == WW_ID_MISUSED)
            y->verdicts[a->verdict % WW_VERDICTS_MAX][a->reason % WW_REASONS_MAX]--;
    }
}

void ww_times_add(ww_times *t, uint64_t ns, uint64_t count)
{
    uint64_t us = ns / 1000;
    uint32_t octave = bits_of(us), at = (uint32_t)us;
    if (octave > 3)
        at = (octave - 3) * 8 + (uint32_t)(us >> (octave - 4) & 7);
    t->counts[at < WW_TIMES ? at : WW_TIMES - 1] += count;
    t->total += count;
    t->sum_ns += ns * count;
}

uint32_t ww_fleet_add(const ww_tables *t, uint32_t from, uint32_t count, int64_t now_ms,
                      ww_fleet *f)
{
    uint32_t to = t->users_used < from + count ? t->users_used : from + count;
    for (uint32_t slot = from; slot < to; slot++) {
        ww_user *u = &t->users[slot];
        if (!u->name_len)
            continue;
        f->users++;
        f->locked += u->streak.lock_until_ms > now_ms;
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
            if (d->kind == WW_KIND_PASSWORD || d->kind == WW_KIND_QUESTION)
                continue;
            f->devices[d->state]++;
            if (d->kind == WW_KIND_TOTP && d->state == WW_ACTIVE) {
                int drift = d->drift < -WW_DRIFT_STEPS_MAX  ? -WW_DRIFT_STEPS_MAX
                            : d->drift > WW_DRIFT_STEPS_MAX ? WW_DRIFT_STEPS_MAX
                                                            : d->drift;
                f->drift[drift + WW_DRIFT_STEPS_MAX]++;
            }
        }
    }
    return to < t->users_used ? to : 0;
}

int ww_row_tells(const uint8_t *row, size_t len, uint64_t events, uint64_t reasons, uint8_t effects)
{
    ww_row h;
    memcpy(&h, row, sizeof h);
    const ww_record *r = (const ww_record *)(const void *)(row + sizeof h + h.names_bytes);
    if (len < sizeof h + h.names_bytes + (size_t)h.units * WW_RECORD_BYTES)
        return 0;
    for (uint32_t n = 0; n < h.units; n += 1u + r[n].tail)
        if (ww_record_tells(&r[n], events, reasons, effects))
            return 1;
    return 0;
}
