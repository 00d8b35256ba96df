/* The life of a device: moments at which one becomes active or ends, and what ends with it.
 *
 * A moment is a date of the device and never a timer. Whoever asks how a device stands is told as
 * of now; the first attempt after the moment records that it has come, before its own record, so
 * that apply reads no clock. Rule: states and dates are public; no secret is looked at here.
 */
#include "internal.h"

#include <string.h>

int ww_is_temporary(const ww_device *d)
{
    return d->label == WW_TEMPORARY_PASSCODE || d->label == WW_ONLINE_CODE_CARD;
}

int ww_answers_still(const ww_device *d, uint32_t event)
{
    return (event == WW_EVENT_ACTIVATE && d->state == WW_SHIPPED) ||
           (event == WW_EVENT_ATTEMPT && d->state == WW_ENDED && ww_is_temporary(d));
}

int ww_dates_legal(const ww_dates *dates)
{
    return dates->delivery_day <= UINT16_MAX && dates->activates_ms >= 0 && dates->expires_ms >= 0;
}

int ww_device_dates(const ww_device *d, ww_dates *dates)
{
    *dates = (ww_dates){0};
    if (!d->dated)
        return 0;
    const ww_far *far = ww_far_of(d);
    *dates = (ww_dates){.delivery_day = far->delivery_day, .replaces = far->replaces,
                        .activates_ms = far->activates_ms, .expires_ms = far->expires_ms};
    return 1;
}

void ww_device_set_dates(ww_user *u, ww_device *d, const ww_dates *dates)
{
    ww_far *far = ww_far_of(d);
    far->delivery_day = dates->delivery_day & UINT16_MAX;
    far->replaces = dates->replaces;
    far->activates_ms = dates->activates_ms;
    far->expires_ms = dates->expires_ms;
    d->dated = 1;
    u->dated = 1;
}

static int64_t expires_of(const ww_device *d) { return d->dated ? ww_far_of(d)->expires_ms : 0; }

/* ---- what comes due ---- */

/* What may end of itself, or with another: what is lost or was returned stays that. */
static int may_end(ww_device_state state) { return state <= WW_SUSPENDED; }

/* Whether time makes this device active by a moment; not one that ended before. */
static int comes_active(const ww_device *d, int64_t at_ms)
{
    if (d->state != WW_SHIPPED || !d->dated)
        return 0;
    const ww_far *far = ww_far_of(d);
    int64_t activates_ms = far->activates_ms, expires_ms = far->expires_ms;
    return activates_ms && at_ms >= activates_ms && (!expires_ms || activates_ms < expires_ms);
}

/* Whether d ends because another becomes active. */
static int ends_with(const ww_device *d, const ww_device *other)
{
    if (d == other || other->kind >= WW_KIND_PASSWORD)
        return 0;
    return (ww_is_temporary(d) && !ww_is_temporary(other)) ||
           (other->dated && ww_far_of(other)->replaces == d->number);
}

ww_device_state ww_device_stands(const ww_tables *t, ww_user *u, const ww_device *d, int64_t at_ms)
{
    ww_device_state state = (ww_device_state)d->state;
    if (!u->dated || d->kind >= WW_KIND_PASSWORD)
        return state;
    if (comes_active(d, at_ms))
        state = WW_ACTIVE;
    for (ww_device *o = ww_device_first(t, u); o; o = ww_device_next(t, u, o))
        if (comes_active(o, at_ms) && ends_with(d, o) && may_end(state))
            state = WW_ENDED;
    int64_t expires_ms = expires_of(d);
    return expires_ms && at_ms >= expires_ms && may_end(state) ? WW_ENDED : state;
}

int ww_user_due(const ww_tables *t, ww_user *u, int64_t at_ms)
{
    for (ww_device *d = u->dated ? ww_device_first(t, u) : NULL; d; d = ww_device_next(t, u, d))
        if (ww_device_stands(t, u, d, at_ms) != d->state)
            return 1;
    return 0;
}

uint32_t ww_why_ended(const ww_device *d, int64_t at_ms)
{
    int64_t expires_ms = expires_of(d);
    return expires_ms && at_ms >= expires_ms ? WW_REASON_OVERDUE : WW_REASON_ENDED;
}

/* A device's cap and failures are of the life before. */
static void set_state(ww_device *d, ww_device_state state)
{
    if (state == WW_ACTIVE)
        d->failures = 0;
    d->state = (uint8_t)state & 7u;
    d->capped = 0;
}

uint32_t ww_due_record(const ww_tables *t, const ww_user *u, int64_t now_ms, ww_record *out)
{
    int64_t at_ms = now_ms > t->latest_ms ? now_ms : t->latest_ms;
    *out = (ww_record){.event = WW_EVENT_DUE, .user = u->id, .moving = (uint64_t)at_ms};
    return 1;
}

int ww_come_due(ww_tables *t, ww_user *u, int64_t now_ms)
{
    ww_record r;
    (void)ww_due_record(t, u, now_ms, &r);
    if (!ww_user_due(t, u, (int64_t)r.moving))
        return 0;
    return !ww_apply(t, &r, now_ms, NULL, NULL);
}

int ww_apply_due(const ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_device_state states[WW_HELD_PER_USER_MAX];
    uint32_t n = 0;
    ww_device *d;
    for (d = ww_device_first(t, u); d && n < WW_HELD_PER_USER_MAX; d = ww_device_next(t, u, d))
        states[n++] = ww_device_stands(t, u, d, (int64_t)r->moving);
    n = 0;
    for (d = ww_device_first(t, u); d && n < WW_HELD_PER_USER_MAX; d = ww_device_next(t, u, d), n++)
        if (states[n] != d->state)
            set_state(d, states[n]);
    return 0;
}

/* ---- becoming active by an attempt, or by hand ---- */

void ww_become_active(const ww_tables *t, ww_user *u, ww_device *d)
{
    set_state(d, WW_ACTIVE);
    for (ww_device *o = ww_device_first(t, u); o; o = ww_device_next(t, u, o))
        if (ends_with(o, d) && may_end((ww_device_state)o->state))
            set_state(o, WW_ENDED);
}

/* ---- dates ---- */

int ww_apply_dates(ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_device *d = ww_device_find(t, u, r->device);
    ww_dates dates;
    if (!d || d->kind >= WW_KIND_PASSWORD || !r->tail)
        return -1;
    memcpy(&dates, r + 1, sizeof dates);
    if (!ww_dates_legal(&dates))
        return -1;
    ww_device_set_dates(u, d == &u->device ? ww_device_widen(t, u) : d, &dates);
    return 0;
}
