/* The one transition, its second half: what a record of an attempt says is done to its user, streak
 * and device. It reads no policy, no clock, no key and no response, so that recovery is this alone.
 * Records of administration go on to acts.c.
 */
#include "internal.h"

#include <string.h>

/* The older gaps go back by one, the oldest into what is deep. */
static void gaps_shift(ww_streak *s, uint32_t *deep)
{
    if (deep) {
        memmove(deep + 1, deep, (WW_RING_DEEP - 1) * sizeof *deep);
        deep[0] = s->gap_ms[WW_RING_INLINE - 1];
    }
    uint32_t older[WW_RING_INLINE - 1];
    memcpy(older, s->gap_ms, sizeof older);
    memcpy(s->gap_ms + 1, older, sizeof older);
}

/* The same by a mask, all or nothing, in a streak that has none deep. */
static void gaps_shift_if(uint32_t shift, ww_streak *s)
{
    uint32_t newer[WW_RING_INLINE - 1], older[WW_RING_INLINE - 1];
    uint32_t mask = 0u - ww_opaque_u32(shift);
    memcpy(newer, s->gap_ms, sizeof newer);
    memcpy(older, s->gap_ms + 1, sizeof older);
    for (uint32_t i = 0; i < WW_RING_INLINE - 1; i++)
        older[i] ^= (older[i] ^ newer[i]) & mask;
    memcpy(s->gap_ms + 1, older, sizeof older);
}

/* One attempt more that was refused, the last; with `push` a failure, whose gap is kept, else the
 * wait of a locked user alone begins again. */
static inline void streak_add(ww_streak *s, uint32_t *deep, int64_t at, uint32_t push, int alone)
{
    uint32_t shift = push & (s->count > 0), gap = ww_gap(s->last_ms, at);
    if (alone) {
        gaps_shift_if(shift, s);
        s->gap_ms[0] = (uint32_t)ww_select_u64(shift, gap, s->gap_ms[0]);
    } else if (shift) {
        gaps_shift(s, deep);
        s->gap_ms[0] = gap;
    }
    s->count = (uint8_t)(s->count + (s->count < WW_LOCKOUT_FAILURES_MAX));
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
    uint32_t failures = d->failures + 1u;
    d->failures = (uint8_t)(failures - (failures >> 8)); /* they end at 255 */
}

static inline void apply_streak(const ww_record *r, int64_t now_ms, ww_streak *s, uint32_t *deep,
                                int alone)
{
    int64_t at = now_ms > s->last_ms ? now_ms : s->last_ms;
    if (r->effects & WW_EFFECT_CLEAR)
        ww_streak_clear(s, deep);
    if (r->effects & (WW_EFFECT_PUSH | WW_EFFECT_WAIT))
        streak_add(s, deep, at, r->effects / WW_EFFECT_PUSH & 1u, alone);
    if (alone)
        s->lock_until_ms = (int64_t)ww_select_u64(r->effects / WW_EFFECT_LOCK & 1u,
                                                  (uint64_t)(now_ms + r->lock_ms),
                                                  (uint64_t)s->lock_until_ms);
    else if (r->effects & WW_EFFECT_LOCK)
        s->lock_until_ms = now_ms + r->lock_ms;
}

static inline int apply_attempt(ww_tables *t, ww_user *u, const ww_record *r, int64_t now_ms,
                                ww_streak *s, uint32_t *deep, int alone)
{
    apply_streak(r, now_ms, s, deep, alone);
    if (!u)
        return 0;
    if ((r->effects & WW_EFFECT_CHARGE) && !r->device)
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
            if (d->state == WW_ACTIVE && d->kind < WW_KIND_PASSWORD)
                device_charge(d);
    if (!r->device)
        return 0;
    ww_device *d = ww_device_find(t, u, r->device);
    if (!d)
        return -1;
    if (r->effects & WW_EFFECT_ADVANCE) {
        if (r->moving > d->moving)
            ww_put(&d->moving, r->moving);
        ww_put(&d->drift, r->drift);
        if (d->kind == WW_KIND_OCRA || d->kind == WW_KIND_PASSCODE) {
            ww_device_issue(d)->open[r->place & 1u].stands = 0;
            ww_device_issue(d)->answers = 0;
        } else if (d->kind == WW_KIND_CARD) { /* on both platforms it was asked for the same pair */
            for (uint32_t place = 0; place < WW_PLATFORMS; place++)
                ww_open_end(t, d, place);
        } else if (r->event == WW_EVENT_RESYNC && r->verdict == WW_ACCEPTED) {
            d->resync = 0;
        }
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

void ww_apply_alone(ww_tables *t, ww_user *u, const ww_record *r, int64_t now_ms)
{
    (void)apply_attempt(t, u, r, now_ms, &u->streak, NULL, 1);
}

/* What was asked stands from now on; asked again, it stands as it did. */
int ww_apply_challenge(ww_tables *t, const ww_record *r)
{
    ww_asked_for tail;
    uint32_t platform = r->place & 3u;
    if (!r->device)
        return 0; /* a plausible one: there is nothing to answer it */
    ww_user *u = ww_user_of(t, r);
    ww_device *d = u ? ww_device_find(t, u, r->device) : NULL;
    if (!d || !ww_has_issue(d) || !r->tail || platform >= WW_PLATFORMS ||
        r->moving >= UINT32_MAX - 1)
        return -1;
    if (d->kind == WW_KIND_CARD && (r->moving != d->moving || ww_card_spent(d)))
        return -1;
    ww_mark_dirty(t, (uint32_t)r->user, WW_DIRTY_STATE);
    memcpy(&tail, r + 1, sizeof tail);
    ww_issue *issue = ww_issue_of(t, d);
    if (issue->issued <= r->moving)
        issue->issued = (uint32_t)r->moving + 1;
    uint32_t answers = issue->answers;
    answers = ww_is_sms(d) ? 0 : ww_answers_lately(issue->open, answers, tail.epoch);
    answers += tail.answered && issue->open[platform].stands != (uint32_t)r->moving + 1;
    issue->answers = (uint8_t)(answers < UINT8_MAX ? answers : UINT8_MAX);
    issue->open[platform] = (ww_open){tail.purpose, (uint32_t)r->moving + 1, tail.epoch};
    if (ww_is_sms(d))
        ww_code_sent(d, platform, &tail);
    return ww_question_keep(t, d, platform);
}

/* A security question's answer: an attempt that spends nothing of any device. */
static int apply_answer(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak,
                        uint32_t *deep)
{
    uint32_t slot = (uint32_t)r->user;
    if (r->place & WW_PLACE_UNKNOWN) {
        if (!streak)
            return 0;
        apply_streak(r, now_ms, streak, deep, 0);
        ww_apply_answer(t, NULL, r, 1);
        return 0;
    }
    ww_user *u = ww_user_of(t, r);
    if (!u)
        return -1;
    ww_mark_dirty(t, slot, WW_DIRTY_STATE);
    apply_streak(r, now_ms, &u->streak, t->deep ? t->deep[slot] : NULL, 0);
    ww_apply_answer(t, u, r, streak != NULL);
    return 0;
}

/* An attempt that makes the device active whose answer was right. */
static int apply_activation(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak,
                            uint32_t *deep)
{
    uint32_t slot = (uint32_t)r->user;
    if (r->place & WW_PLACE_UNKNOWN)
        return streak ? apply_attempt(t, NULL, r, now_ms, streak, deep, 0) : 0;
    ww_user *u = ww_user_of(t, r);
    if (!u)
        return -1;
    ww_mark_dirty(t, slot, WW_DIRTY_STATE);
    if (apply_attempt(t, u, r, now_ms, &u->streak, t->deep ? t->deep[slot] : NULL, 0))
        return -1;
    ww_device *d = r->verdict == WW_ACCEPTED ? ww_device_find(t, u, r->device) : NULL;
    if (d && d->state == WW_SHIPPED)
        ww_become_active(t, u, d);
    return 0;
}

static int apply_later(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak,
                       uint32_t *deep)
{
    ww_user *u;
    switch (r->event) {
    case WW_EVENT_CHALLENGE:
        return ww_apply_challenge(t, r);
    case WW_EVENT_QUESTION:
        return ww_apply_question(t, r);
    case WW_EVENT_ANSWER:
        return apply_answer(t, r, now_ms, streak, deep);
    case WW_EVENT_FLOOR:
        return ww_apply_floor(t, r);
    case WW_EVENT_PIN:
        u = ww_user_of(t, r);
        if (!u)
            return -1;
        ww_mark_dirty(t, (uint32_t)r->user, WW_DIRTY_IDENTITY);
        return ww_apply_pin(t, u, r);
    case WW_EVENT_ACTIVATE:
        return apply_activation(t, r, now_ms, streak, deep);
    case WW_EVENT_DUE:
    case WW_EVENT_DATES:
        u = ww_user_of(t, r);
        if (!u)
            return -1;
        ww_mark_dirty(t, (uint32_t)r->user,
                      WW_DIRTY_STATE | (r->event == WW_EVENT_DATES ? WW_DIRTY_IDENTITY : 0));
        return r->event == WW_EVENT_DUE ? ww_apply_due(t, u, r) : ww_apply_dates(t, u, r);
    default:
        return ww_is_entry(r->event) ? ww_apply_entry(t, r) : 0;
    }
}

int ww_apply(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak, uint32_t *deep)
{
    if (r->event >= WW_EVENT_TOMBSTONE) /* the door keeps two of these */
        return apply_later(t, r, now_ms, streak, deep);
    int attempt = r->event == WW_EVENT_ATTEMPT || r->event == WW_EVENT_ALSO ||
                  r->event == WW_EVENT_RESYNC;
    if (attempt && (r->place & WW_PLACE_UNKNOWN))
        return streak ? apply_attempt(t, NULL, r, now_ms, streak, deep, 0) : 0;
    uint32_t slot = (uint32_t)r->user;
    if (slot >= t->users_cap)
        return -1;
    ww_mark_dirty(t, slot, attempt ? WW_DIRTY_STATE : WW_DIRTY_STATE | WW_DIRTY_IDENTITY);
    if (r->event == WW_EVENT_USER_ADD)
        return ww_apply_act(t, NULL, slot, r);
    ww_user *u = &t->users[slot];
    if (slot >= t->users_used || u->id != r->user || !u->name_len)
        return -1;
    if (!attempt)
        return ww_apply_act(t, u, slot, r);
    return apply_attempt(t, u, r, now_ms, &u->streak, t->deep ? t->deep[slot] : NULL, 0);
}
