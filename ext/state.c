/* The one transition, its first half. decide reads policy, time and what matched, and writes
 * records; apply (apply.c, and acts.c for administration) does what a record says and nothing else.
 * Nothing outside these three files moves a user's or a device's state.
 */
#include "internal.h"

#include <string.h>

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

/* Of one alone by a mask: a jump would tell who it is (alone.c). */
static inline uint64_t pick(int alone, uint32_t bit, uint64_t a, uint64_t b)
{
    return alone ? ww_select_u64(bit, a, b) : bit ? a : b;
}

static inline ww_mask down_one(ww_mask m)
{
    return (ww_mask){m.lo >> 1 | m.hi << 63, m.hi >> 1};
}

/* ---- decide ---- */

/* Would one failure more, at time t, make `failures` of them less than the window apart? */
static uint32_t begins_lock(const ww_policy *p, const ww_streak *s, const uint32_t *deep,
                            uint32_t count, int64_t t)
{
    uint32_t n = p->lockout_failures;
    if (count + 1 < n)
        return 0;
    if (n == 1)
        return 1;
    uint64_t span = ww_gap(s->last_ms, t);
    for (uint32_t i = 0; i + 2 < n; i++)
        span += i < WW_RING_INLINE ? s->gap_ms[i] : deep[i - WW_RING_INLINE];
    return span < (uint64_t)p->lockout_window_ms;
}

/* What the window of one device says: the lowest unused position, if any. right is 2 where a PIN
 * spoils it. */
typedef struct { uint8_t right, replayed; uint64_t moving; int8_t drift; int32_t offset; } finding;

/* Of an OCRA device: a counter, a time step, both or neither. A step may come again, and the last
 * counter of all, which nothing follows, for the challenge never does. */
static finding find_answer(const ww_try *y, const ww_answer *w)
{
    finding f = {0};
    const ww_device *d = y->device;
    f.right = any_bit(y->mask) != 0;
    if (!f.right || w->push)
        return f;
    uint32_t bit = lowest_bit(y->mask), counter = bit / w->steps;
    int64_t ahead = (int64_t)(w->first + bit % w->steps) - w->step_now, most = d->drift_max;
    uint64_t used = y->base + counter;
    f.moving = !w->suite->counter_at ? d->moving : used < UINT64_MAX ? used + 1 : used;
    f.offset = (int32_t)(w->suite->counter_at ? (int64_t)counter : w->suite->time_at ? ahead : 0);
    if (w->suite->time_at)
        f.drift = (int8_t)(ahead > most ? most : ahead < -most ? -most : ahead);
    return f;
}

/* Of a passcode, which is not used up; or of a card's pair, or a code that was sent, which is. */
static finding find_given(const ww_try *y)
{
    finding f = {0};
    const ww_device *d = y->device;
    f.right = any_bit(y->mask) != 0;
    f.moving = d->kind == WW_KIND_CARD || ww_is_sms(d) ? d->moving + f.right : d->moving;
    return f;
}

static finding find(const ww_attempt *a, const ww_try *y, const ww_answer *w, int64_t now_ms)
{
    finding f = {0};
    const ww_device *d = y->device;
    if (d->kind >= WW_KIND_OCRA)
        return d->kind == WW_KIND_OCRA ? find_answer(y, w) : find_given(y);
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

/* Field by field: a record that is made elsewhere and copied waits for its own bytes. */
static inline void put_record(ww_record *o, const ww_attempt *a, const ww_event_in *in, ww_event e)
{
    o->event = (uint8_t)e;
    o->verdict = o->reason = o->tail = o->effects = 0;
    o->gateway = a->gateway;
    o->place = (uint8_t)(a->place_in | in->stranger * WW_PLACE_UNKNOWN);
    o->drift = 0;
    o->user = in->user ? in->user->id : a->name_hash;
    o->moving = 0;
    o->device = o->lock_ms = 0;
}

static void put_moved(ww_record *o, const ww_attempt *a, const ww_event_in *in, const ww_device *d,
                      uint64_t moving, int8_t drift)
{
    put_record(o, a, in, WW_EVENT_ALSO);
    o->effects = WW_EFFECT_ADVANCE;
    o->device = d->number;
    o->moving = moving;
    o->drift = drift;
}

/* Once means once: a code that one device used up is used up on its twins, named or not, and on
 * whoever it is shared with. */
static uint32_t put_twins(const ww_tables *t, const ww_event_in *in, const finding *found,
                          uint32_t tries, const ww_attempt *a, ww_record *out)
{
    uint32_t units = 0, left = WW_SHARERS_MAX;
    for (ww_device *d = ww_device_first(t, in->user); d; d = ww_device_next(t, in->user, d)) {
        uint64_t moving = d->moving, ends = 0; /* ends: where the main record or its ALSO puts it */
        int8_t drift = d->drift;
        for (uint32_t i = 0; i < tries; i++) {
            if (in->tries[i].device == d && found[i].right) {
                moving = d->moving;
                ends = found[i].moving;
                drift = found[i].drift;
                break;
            }
            if (found[i].right && found[i].moving > moving && ww_same_codes(in->tries[i].device, d))
                moving = found[i].moving;
        }
        if (moving > d->moving) {
            put_moved(out + units++, a, in, d, moving, drift);
            ends = moving;
        }
        if (in->user->sharing && ends > d->moving && ww_shared(d)) {
            ww_device *sharers[WW_SHARERS_MAX];
            uint32_t n = ww_sharers_of(t, d, sharers);
            for (uint32_t i = 0; i < n && left; i++, left--) {
                put_moved(out + units, a, in, sharers[i], ends, drift);
                out[units++].user = t->users[ww_far_of(sharers[i])->owner].id;
            }
        }
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

static inline uint8_t refusal(const ww_event_in *in, uint32_t replayed, int alone)
{
    if (!alone && in->stranger)
        return WW_REASON_UNKNOWN_USER;
    if (in->inactive)
        return in->inactive;
    if (!in->tries_count || !in->tries[0].device)
        return WW_REASON_NO_DEVICE;
    uint64_t reason = pick(alone, replayed, WW_REASON_REPLAYED, WW_REASON_WRONG);
    return (uint8_t)pick(alone, in->stranger, WW_REASON_UNKNOWN_USER, reason);
}

/* What a verdict does to one device that was tried. */
static inline void put_device(const ww_policy *p, const ww_try *y, const finding *f, int accepted,
                              int spends, int charge, ww_record *o)
{
    const ww_device *d = y->device;
    uint32_t effects = 0;
    o->device = d->number;
    if (f->right == 1 && accepted && d->failures)
        effects = WW_EFFECT_FORGIVE;
    if (f->right && spends) {
        effects |= WW_EFFECT_ADVANCE;
        o->moving = f->moving;
        o->drift = f->drift;
    }
    if (charge && p->failures_cap && d->failures + 1u >= p->failures_cap && d->state == WW_ACTIVE)
        effects |= WW_EFFECT_SUSPEND;
    o->effects = (uint8_t)(o->effects | effects);
}

/* What is right may have run out: the challenge that is named, or a passcode, which before that
 * opens the portal alone. Returns a verdict, or 0. */
static uint32_t ran_out_by(const ww_tables *t, ww_attempt *a, const ww_event_in *in,
                           const ww_device *d, int64_t now_ms, uint32_t *reason)
{
    int64_t at = now_ms > t->latest_ms ? now_ms : t->latest_ms;
    int passcode = d->kind == WW_KIND_PASSCODE && !ww_is_sms(d);
    *reason = WW_REASON_OVERDUE;
    if ((a->challenge_len && in->answers->overdue) ||
        (passcode && at >= ww_passcode_of(d)->until_ms))
        return WW_EXPIRED;
    if (d->state == WW_ENDED && (*reason = ww_why_ended(d, at)) != 0)
        return WW_EXPIRED;
    if (!passcode || at < ww_passcode_of(d)->full_until_ms)
        return 0;
    a->card_only = 1;
    *reason = WW_REASON_SCOPE;
    return a->platform == WW_TRADING ? WW_NOT_PERMITTED : 0;
}

WW_ROAD uint32_t ww_decide(const ww_tables *t, const ww_policy *p, ww_attempt *a,
                           const ww_event_in *in, int64_t now_ms, int alone, ww_record *out)
{
    static const ww_streak none;
    const ww_streak *s = in->streak ? in->streak : &none;
    finding found[WW_DEVICES_PER_USER_MAX];
    uint32_t tries = in->tries_count && in->tries[0].device ? in->tries_count : 0;
    uint32_t right = 0, replayed = 0, reported = UINT32_MAX, spoiled = 0, bare = 0;
    uint32_t verdict, reason, effects = 0;

    a->verdict = 0;
    a->retry_after_ms = 0;
    a->device = a->device_cold = 0;
    a->offset = 0;
    a->kind = WW_KIND_NONE;
    a->label = a->rank = 0;
    if (!in->legal) {
        put_record(out, a, in, (ww_event)a->event);
        a->verdict = out->verdict = WW_BAD_CHARACTER;
        a->reason = out->reason = WW_REASON_NAME;
        return put_address(a, out);
    }
    if (a->shed || in->source_busy) {
        a->verdict = WW_BUSY;
        a->reason = in->source_busy ? WW_REASON_SOURCE : WW_REASON_LOAD;
        return 0;
    }

    for (uint32_t i = 0; i < tries; i++) {
        found[i] = find(a, &in->tries[i], in->answers + i, now_ms);
        replayed |= found[i].replayed;
        if (!found[i].right)
            continue;
        if (in->limited && ww_spoiled(t, a, &in->tries[i])) {
            found[i].right = 2;
            spoiled++;
            continue;
        }
        right++;
        if (reported == UINT32_MAX ||
            ww_device_before(t, p, in->tries[i].device, in->tries[reported].device))
            reported = i;
    }

    int64_t at = now_ms > s->last_ms ? now_ms : s->last_ms;
    uint32_t locked = (s->lock_until_ms != 0) & (now_ms < s->lock_until_ms);
    locked = alone ? ww_opaque_u32(locked) : locked;
    uint32_t ran_out = (s->lock_until_ms != 0) & (locked ^ 1u), lock_ms = 0, amiss = 0, locks;
    uint32_t count = (uint32_t)pick(alone, ran_out, 0, s->count);
    int64_t lock_until = (int64_t)pick(alone, locked, (uint64_t)s->lock_until_ms, 0);
    int failed = 0, empty = !a->response_len && a->event == WW_EVENT_ATTEMPT;
    effects |= ran_out * WW_EFFECT_CLEAR;
    if (in->limited) {
        if (!locked && ww_elsewhere(t, a, in)) { /* nothing of what it says was looked at */
            put_record(out, a, in, (ww_event)a->event);
            out->effects = (uint8_t)effects;
            a->verdict = out->verdict = WW_NOT_PERMITTED;
            a->reason = out->reason = WW_REASON_ADDRESS;
            a->asks = ww_asks(a, in);
            return put_address(a, out);
        }
        amiss = ww_password_amiss(t, a, in);
        bare = !locked && !amiss && ww_enters_bare(t, p, a, in);
        right += bare;
    }

    if (empty && !locked && !bare && !(amiss && (a->first & WW_FIRST_GIVEN)) &&
        (verdict = ww_unanswered(in, &reason)) != 0) {
        a->verdict = (uint8_t)verdict;
        a->reason = (uint8_t)reason;
        if (reason == WW_REASON_PENDING)
            return 0; /* a poll: as if it had not been */
    } else if (locked | !right | (amiss != 0)) { /* which of them it is takes no jump (alone.c) */
        locks = begins_lock(p, s, in->deep, count, at);
        if (a->event == WW_EVENT_ANSWER)
            locks |= (uint32_t)ww_answers_lock(t, a, in->user);
        locks = (uint32_t)pick(alone, locked, p->lockout_extend, locks);
        reason = amiss && (right || empty) && in->user ? amiss
                 : spoiled ? WW_REASON_PIN : refusal(in, replayed, alone);
        reason = (uint32_t)pick(alone, locked, WW_REASON_LOCKED, reason);
        verdict = (uint32_t)pick(alone, locked, WW_LOCKED, WW_REJECTED);
        effects |= (uint32_t)pick(alone, locked, WW_EFFECT_WAIT, WW_EFFECT_PUSH);
        effects |= locks * WW_EFFECT_LOCK;
        lock_until = (int64_t)pick(alone, locks, (uint64_t)(at + p->lockout_window_ms),
                                   (uint64_t)lock_until);
        failed = 1;
    } else if (in->limited && !bare &&
               (verdict = ran_out_by(t, a, in, in->tries[reported].device, now_ms, &reason)) != 0) {
        ; /* it has, or opens less than it did */
    } else if (a->event == WW_EVENT_ATTEMPT && in->user->account != WW_OPEN &&
               a->platform == WW_TRADING) {
        verdict = WW_NOT_PERMITTED;
        reason = WW_REASON_ACCOUNT;
    } else if (a->event == WW_EVENT_ATTEMPT && in->user->realm != a->realm) {
        verdict = WW_NOT_PERMITTED;
        reason = WW_REASON_REALM;
    } else {
        verdict = WW_ACCEPTED;
        reason = WW_REASON_NONE;
        if (s->count || s->lock_until_ms)
            effects |= WW_EFFECT_CLEAR;
    }
    locks = effects / WW_EFFECT_LOCK & 1u;
    if (alone || (locked | locks)) {
        uint64_t now = (uint64_t)now_ms, until = pick(alone, locks, (uint64_t)lock_until, now);
        lock_ms = ww_gap(now_ms, (int64_t)until); /* then until as apply will set it */
        until = pick(alone, locks, now + lock_ms, (uint64_t)lock_until);
        a->retry_after_ms = (int64_t)pick(alone, locked | locks, until - now, 0);
    }

    /* A failure charges the device named, or every active one, which device = 0 says. */
    int named = a->has_serial || a->challenge_len || a->event == WW_EVENT_RESYNC;
    uint32_t why; /* a push that nobody has decided was tried against nothing, as a challenge */
    int charge = failed && tries && a->event != WW_EVENT_ANSWER &&
                 !(empty && amiss && !locked && ww_unanswered(in, &why)) &&
                 !(named && in->tries[0].device->state == WW_ENDED);
    uint32_t lead = UINT32_MAX; /* the device the main record speaks of */
    uint32_t each = 0;          /* not every active one was tried: each says for itself */
    if (charge && !named && in->passed_over)
        each = WW_EFFECT_CHARGE;
    else if (charge)
        effects |= WW_EFFECT_CHARGE;
    if (tries && named)
        lead = 0;
    else if (right && !charge && verdict != WW_REJECTED)
        lead = reported;
    /* Where it was right in itself it may be told which device; a lock tells nothing. */
    if (reported != UINT32_MAX && !failed && verdict != WW_CHALLENGE) {
        const ww_device *d = in->tries[reported].device;
        a->kind = d->kind;
        a->label = d->label;
        a->rank = (uint8_t)ww_device_rank(p, d);
        a->device = d->number;
        a->device_cold = d->cold;
        a->offset = found[reported].offset;
    }

    /* The main record first, then ALSO for every further device that changes. */
    int accepted = verdict == WW_ACCEPTED; /* of a device that a push asked, nothing is used up */
    int spends = verdict != WW_CHALLENGE && !(in->limited & WW_PUSHED);
    put_record(out, a, in, (ww_event)a->event);
    a->verdict = out->verdict = (uint8_t)verdict;
    a->reason = out->reason = (uint8_t)reason;
    out->effects = (uint8_t)effects;
    out->lock_ms = lock_ms;
    if (lead != UINT32_MAX)
        put_device(p, &in->tries[lead], &found[lead], accepted, spends, charge, out);
    if (a->event == WW_EVENT_ANSWER)
        ww_put_answer(in, out);
    uint32_t units = put_address(a, out);
    for (uint32_t i = 0; i < tries; i++) {
        if (i == lead)
            continue;
        put_record(out + units, a, in, WW_EVENT_ALSO);
        if (each && in->tries[i].device->state != WW_ENDED)
            out[units].effects = (uint8_t)each;
        put_device(p, &in->tries[i], &found[i], accepted, spends, charge, out + units);
        units += out[units].effects != 0;
    }
    if ((right | spoiled) && in->user->devices + in->user->sharing > 1 && spends)
        units += put_twins(t, in, found, tries, a, out + units);
    return units;
}
