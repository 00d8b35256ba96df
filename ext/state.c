/* The one transition, in two halves. decide reads policy, time and what matched, and writes
 * records; apply does what a record says and nothing else: it reads no policy, no clock, no key
 * and no response, so that recovery is apply alone. Nothing outside this file and acts.c, its part
 * for administration, moves a user's or a device's state.
 */
#include "internal.h"

#include <string.h>

static inline uint32_t gap_between(int64_t from_ms, int64_t to_ms)
{
    int64_t gap = to_ms - from_ms;
    return gap < 0 ? 0 : gap > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)gap;
}

static inline uint32_t lowest_bit(ww_mask m)
{
    return m.lo ? (uint32_t)__builtin_ctzll(m.lo) : 64u + (uint32_t)__builtin_ctzll(m.hi);
}

static inline int any_bit(ww_mask m) { return (m.lo | m.hi) != 0; }

/* Bits at and above n. */
static inline ww_mask bits_from(ww_mask m, uint64_t n)
{
    if (n >= 128)
        return (ww_mask){0, 0};
    if (n >= 64)
        return (ww_mask){0, m.hi & (UINT64_MAX << (n - 64))};
    return (ww_mask){m.lo & (UINT64_MAX << n), m.hi};
}

static inline ww_mask down_one(ww_mask m)
{
    return (ww_mask){m.lo >> 1 | m.hi << 63, m.hi >> 1};
}

/* ---- decide ---- */

/* Would one failure more, at time t, make `failures` of them less than the window apart? */
static int begins_lock(const ww_policy *p, const ww_streak *s, const uint32_t *deep, uint32_t count,
                       int64_t t)
{
    uint32_t n = p->lockout_failures;
    if (count + 1 < n)
        return 0;
    if (n == 1)
        return 1;
    uint64_t span = gap_between(s->last_ms, t);
    for (uint32_t i = 0; i + 2 < n; i++)
        span += i < WW_RING_INLINE ? s->gap_ms[i] : deep[i - WW_RING_INLINE];
    return span < (uint64_t)p->lockout_window_ms;
}

/* What the window of one device says: the lowest unused position, if any. */
typedef struct { uint8_t right, replayed; uint64_t moving; int8_t drift; int32_t offset; } finding;

static finding find(const ww_attempt *a, const ww_try *y, int64_t now_ms)
{
    finding f = {0};
    const ww_device *d = y->device;
    ww_mask match = y->mask;
    uint64_t past = 1; /* positions used up by a match: one, or two in a resynchronisation */
    if (a->event == WW_EVENT_RESYNC) {
        ww_mask second = down_one(y->second);
        match = (ww_mask){match.lo & second.lo, match.hi & second.hi};
        past = 2;
    }
    uint64_t used = d->moving > y->base ? d->moving - y->base : 0;
    ww_mask open = bits_from(match, used);
    f.right = any_bit(open) != 0;
    f.replayed = !f.right && any_bit(match);
    if (!f.right)
        return f;
    uint64_t position = y->base + lowest_bit(open);
    f.moving = position + past;
    if (d->kind == WW_KIND_TOTP) {
        int64_t ahead = (int64_t)(position + past - 1) - ww_step_now(d, now_ms);
        int64_t most = d->drift_max;
        f.offset = (int32_t)(ahead - (int64_t)(past - 1)); /* of the first code, as for HOTP */
        f.drift = (int8_t)(ahead > most ? most : ahead < -most ? -most : ahead);
    } else {
        f.offset = (int32_t)(position - d->moving);
    }
    return f;
}

/* Of two devices that match the lower serial is reported; ranks are equal for TOTP and HOTP. */
static int serial_before(const ww_tables *t, const ww_device *a, const ww_device *b)
{
    size_t a_len, b_len;
    const uint8_t *x = ww_cold_second(t, a->cold, &a_len), *y = ww_cold_second(t, b->cold, &b_len);
    int order = memcmp(x, y, a_len < b_len ? a_len : b_len);
    return order ? order < 0 : a_len < b_len;
}

/* Whether two devices show the same codes: one key enrolled twice. */
static int same_codes(const ww_device *a, const ww_device *b)
{
    if (a->kind != b->kind || a->hash != b->hash || a->period_s != b->period_s ||
        ww_device_t0(a) != ww_device_t0(b))
        return 0;
    return (int)ww_equal(ww_device_mid(a), ww_device_mid(b), ww_mid_bytes((ww_hash)a->hash));
}

/* Once means once: a code that one device used up is used up on its twins, named or not. */
static uint32_t put_twins(const ww_tables *t, const ww_event_in *in, const finding *found,
                          uint32_t tries, const ww_record *r, ww_record *out)
{
    uint32_t units = 0;
    for (ww_device *d = ww_device_first(t, in->user); d; d = ww_device_next(t, in->user, d)) {
        uint64_t moving = d->moving;
        for (uint32_t i = 0; i < tries; i++) {
            if (in->tries[i].device == d && found[i].right) {
                moving = d->moving;
                break;
            }
            if (found[i].right && found[i].moving > moving && same_codes(in->tries[i].device, d))
                moving = found[i].moving;
        }
        if (moving > d->moving)
            out[units++] = (ww_record){.event = WW_EVENT_ALSO, .effects = WW_EFFECT_ADVANCE,
                                       .gateway = r->gateway, .place = r->place, .user = r->user,
                                       .device = d->number, .moving = moving, .drift = d->drift};
    }
    return units;
}

static uint32_t put_address(const ww_attempt *a, ww_record *r)
{
    if (!a->has_address)
        return 1;
    r->tail = 1;
    memset(r + 1, 0, sizeof *r);
    memcpy(r + 1, a->address, sizeof a->address);
    return 2;
}

static uint8_t refusal(const ww_event_in *in, int replayed)
{
    if (!in->user)
        return WW_REASON_UNKNOWN_USER;
    if (in->inactive)
        return in->inactive;
    if (!in->tries_count || !in->tries[0].device)
        return WW_REASON_NO_DEVICE;
    return replayed ? WW_REASON_REPLAYED : WW_REASON_WRONG;
}

uint32_t ww_decide(const ww_tables *t, const ww_policy *p, ww_attempt *a, const ww_event_in *in,
                   int64_t now_ms, ww_record *out)
{
    ww_record r = {.event = a->event, .gateway = a->gateway, .place = a->place_in};
    ww_streak none = {0};
    const ww_streak *s = in->streak ? in->streak : &none;
    finding found[WW_DEVICES_PER_USER_MAX];
    uint32_t tries = in->tries_count && in->tries[0].device ? in->tries_count : 0;
    uint32_t right = 0, replayed = 0, reported = UINT32_MAX;

    a->verdict = 0;
    a->retry_after_ms = 0;
    a->device = a->device_cold = 0;
    a->offset = 0;
    a->kind = WW_KIND_NONE;
    r.user = in->user ? in->user->id : a->name_hash;
    r.place |= in->user ? 0 : WW_PLACE_UNKNOWN;
    if (!in->legal) {
        a->verdict = r.verdict = WW_BAD_CHARACTER;
        a->reason = r.reason = WW_REASON_NAME;
        *out = r;
        return put_address(a, out);
    }
    if (a->shed || in->source_busy) {
        a->verdict = WW_BUSY;
        a->reason = in->source_busy ? WW_REASON_SOURCE : WW_REASON_LOAD;
        return 0;
    }

    for (uint32_t i = 0; i < tries; i++) {
        found[i] = find(a, &in->tries[i], now_ms);
        replayed |= found[i].replayed;
        if (!found[i].right)
            continue;
        right++;
        if (reported == UINT32_MAX ||
            serial_before(t, in->tries[i].device, in->tries[reported].device))
            reported = i;
    }

    int64_t at = now_ms > s->last_ms ? now_ms : s->last_ms;
    int locked = s->lock_until_ms && now_ms < s->lock_until_ms;
    int ran_out = s->lock_until_ms && !locked;
    uint32_t count = ran_out ? 0 : s->count;
    int64_t lock_until = locked ? s->lock_until_ms : 0;
    int failed = 0;
    if (ran_out)
        r.effects |= WW_EFFECT_CLEAR;

    if (locked) {
        r.verdict = WW_LOCKED;
        r.reason = WW_REASON_LOCKED;
        r.effects |= WW_EFFECT_WAIT;
        failed = 1;
        if (p->lockout_extend) {
            r.effects |= WW_EFFECT_LOCK;
            lock_until = at + p->lockout_window_ms;
        }
    } else if (!a->response_len && a->event == WW_EVENT_ATTEMPT) {
        r.verdict = WW_CHALLENGE;
        r.reason = WW_REASON_EMPTY;
    } else if (!right) {
        r.verdict = WW_REJECTED;
        r.reason = refusal(in, (int)replayed);
        r.effects |= WW_EFFECT_PUSH;
        failed = 1;
        if (begins_lock(p, s, in->deep, count, at)) {
            r.effects |= WW_EFFECT_LOCK;
            lock_until = at + p->lockout_window_ms;
        }
    } else if (a->event == WW_EVENT_ATTEMPT && in->user->account != WW_OPEN &&
               a->platform == WW_TRADING) {
        r.verdict = WW_NOT_PERMITTED;
        r.reason = WW_REASON_ACCOUNT;
    } else if (a->event == WW_EVENT_ATTEMPT && in->user->realm != a->realm) {
        r.verdict = WW_NOT_PERMITTED;
        r.reason = WW_REASON_REALM;
    } else {
        r.verdict = WW_ACCEPTED;
        r.reason = WW_REASON_NONE;
        if (s->count || s->lock_until_ms)
            r.effects |= WW_EFFECT_CLEAR;
    }
    if (r.effects & WW_EFFECT_LOCK) {
        r.lock_ms = gap_between(now_ms, lock_until);
        lock_until = now_ms + r.lock_ms; /* as apply will set it, after a gap that saturates too */
    }
    if (lock_until)
        a->retry_after_ms = lock_until - now_ms;

    /* A failure charges the device named, or every active one, which device = 0 says. */
    int named = a->has_serial || a->event == WW_EVENT_RESYNC;
    int charge = failed && tries;
    uint32_t lead = UINT32_MAX; /* the device the main record speaks of */
    if (charge)
        r.effects |= WW_EFFECT_CHARGE;
    if (tries && named)
        lead = 0;
    else if (right && !charge)
        lead = reported;
    /* Where it was right in itself it may be told which device; a lock tells nothing. */
    if (reported != UINT32_MAX && (r.verdict == WW_ACCEPTED || r.verdict == WW_NOT_PERMITTED)) {
        const ww_device *d = in->tries[reported].device;
        a->kind = d->kind;
        a->device = d->number;
        a->device_cold = d->cold;
        a->offset = found[reported].offset;
    }

    uint32_t units = 0;
    for (uint32_t step = 0; step <= tries; step++) {
        /* The main record first, then ALSO for every further device that changes. */
        uint32_t i = step == 0 ? lead : step - 1;
        if (step > 0 && i == lead)
            continue;
        ww_record *o = step == 0 ? &r : out + units;
        if (step > 0)
            *o = (ww_record){.event = WW_EVENT_ALSO, .gateway = r.gateway, .place = r.place,
                             .user = r.user};
        if (i != UINT32_MAX) {
            const ww_device *d = in->tries[i].device;
            o->device = d->number;
            if (found[i].right && r.verdict != WW_CHALLENGE) {
                o->effects |= WW_EFFECT_ADVANCE;
                o->moving = found[i].moving;
                o->drift = found[i].drift;
                if (r.verdict == WW_ACCEPTED && d->failures)
                    o->effects |= WW_EFFECT_FORGIVE;
            }
            if (charge && p->failures_cap && d->failures + 1u >= p->failures_cap)
                o->effects |= WW_EFFECT_SUSPEND;
        }
        if (step == 0) {
            a->verdict = r.verdict;
            a->reason = r.reason;
            *out = r;
            units = put_address(a, out);
        } else if (o->effects) {
            units++;
        }
    }
    if (right && in->user->devices > 1 && r.verdict != WW_CHALLENGE)
        units += put_twins(t, in, found, tries, &r, out + units);
    return units;
}

/* ---- apply: attempts ---- */

static void streak_push(ww_streak *s, uint32_t *deep, int64_t at)
{
    if (s->count) {
        if (deep) {
            memmove(deep + 1, deep, (WW_RING_DEEP - 1) * sizeof *deep);
            deep[0] = s->gap_ms[WW_RING_INLINE - 1];
        }
        memmove(s->gap_ms + 1, s->gap_ms, (WW_RING_INLINE - 1) * sizeof s->gap_ms[0]);
        s->gap_ms[0] = gap_between(s->last_ms, at);
    }
    if (s->count < WW_LOCKOUT_FAILURES_MAX)
        s->count++;
    s->last_ms = at;
}

void ww_streak_clear(ww_streak *s, uint32_t *deep)
{
    s->lock_until_ms = 0;
    s->count = 0;
    memset(s->gap_ms, 0, sizeof s->gap_ms);
    if (deep)
        memset(deep, 0, WW_RING_DEEP * sizeof *deep);
}

static void device_charge(ww_device *d)
{
    if (d->failures < UINT8_MAX)
        d->failures++;
}

static int apply_attempt(ww_tables *t, ww_user *u, const ww_record *r, int64_t now_ms, ww_streak *s,
                         uint32_t *deep)
{
    int64_t at = now_ms > s->last_ms ? now_ms : s->last_ms;
    if (r->effects & WW_EFFECT_CLEAR)
        ww_streak_clear(s, deep);
    if (r->effects & WW_EFFECT_PUSH)
        streak_push(s, deep, at);
    if (r->effects & WW_EFFECT_WAIT) {
        s->last_ms = at;
        if (s->count < WW_LOCKOUT_FAILURES_MAX)
            s->count++;
    }
    if (r->effects & WW_EFFECT_LOCK)
        s->lock_until_ms = now_ms + r->lock_ms;
    if (!u)
        return 0;
    if ((r->effects & WW_EFFECT_CHARGE) && !r->device)
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
            if (d->state == WW_ACTIVE)
                device_charge(d);
    if (!r->device)
        return 0;
    ww_device *d = ww_device_find(t, u, r->device);
    if (!d)
        return -1;
    if (r->effects & WW_EFFECT_ADVANCE) {
        if (r->moving > d->moving)
            d->moving = r->moving;
        d->drift = r->drift;
    }
    if (r->effects & WW_EFFECT_FORGIVE)
        d->failures = 0;
    if (r->effects & WW_EFFECT_CHARGE)
        device_charge(d);
    if (r->effects & WW_EFFECT_SUSPEND) {
        d->state = WW_SUSPENDED;
        d->capped = 1;
    }
    return 0;
}

/* ---- apply ---- */

int ww_apply(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak, uint32_t *deep)
{
    if (r->event == WW_EVENT_TOMBSTONE || r->event == WW_EVENT_NOTE)
        return 0; /* the door keeps these */
    int attempt = r->event == WW_EVENT_ATTEMPT || r->event == WW_EVENT_ALSO ||
                  r->event == WW_EVENT_RESYNC;
    if (attempt && (r->place & WW_PLACE_UNKNOWN))
        return streak ? apply_attempt(t, NULL, r, now_ms, streak, deep) : 0;
    uint32_t slot = (uint32_t)r->user;
    if (slot >= t->users_cap)
        return -1;
    t->dirty[slot / WW_PAGE_USERS] |= attempt ? WW_DIRTY_STATE : WW_DIRTY_STATE | WW_DIRTY_IDENTITY;
    if (r->event == WW_EVENT_USER_ADD)
        return ww_apply_act(t, NULL, slot, r);
    ww_user *u = &t->users[slot];
    if (slot >= t->users_used || u->id != r->user || !u->name_len)
        return -1;
    if (!attempt)
        return ww_apply_act(t, u, slot, r);
    return apply_attempt(t, u, r, now_ms, &u->streak, t->deep ? t->deep[slot] : NULL);
}
