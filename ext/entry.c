/* Entry by other roads than a device's: from where a user may come, who may leave the response
 * empty, how long a session lasts; and what few users have beside their line, in the cold arena.
 *
 * Rule: plain users pay for none of this. Whatever is here is asked of attempts alone that decide
 * calls limited (internal.h), and a name that does not exist is never restricted.
 */
#include "internal.h"

#include <string.h>

/* ---- what few users have ---- */

ww_extra ww_extra_of(const ww_tables *t, const ww_user *u)
{
    ww_extra x = {0};
    size_t len;
    if (u->extra)
        memcpy(&x, ww_cold_first(t, u->extra, &len), sizeof x); /* at no even address */
    return x;
}

const uint8_t *ww_ranges_of(const ww_tables *t, const ww_user *u, size_t *len)
{
    *len = 0;
    return u->extra ? ww_cold_second(t, u->extra, len) : NULL;
}

void ww_extra_drop(ww_tables *t, ww_user *u)
{
    size_t x_len, len;
    if (!u->extra)
        return;
    ww_cold_first(t, u->extra, &x_len);
    ww_cold_second(t, u->extra, &len);
    ww_wipe(t->cold + (uint64_t)u->extra * 8 + 2, x_len + len);
    t->cold_dead += WW_COLD_BYTES(x_len, len);
    u->extra = 0;
    u->restricted = 0;
}

void ww_extra_place(ww_tables *t, ww_user *u, const ww_extra *x, const uint8_t *ranges, size_t len)
{
    size_t x_len, old;
    if (u->extra && (ww_ranges_of(t, u, &old), old == len)) {
        uint8_t *to = (uint8_t *)(uintptr_t)ww_cold_first(t, u->extra, &x_len);
        memcpy(to, x, sizeof *x);
        memmove(to + sizeof *x, ranges, len);
    } else {
        uint8_t kept[UINT8_MAX]; /* they may be the ones that go */
        memcpy(kept, ranges, len);
        ww_extra_drop(t, u);
        u->extra = ww_cold_add(t, (const uint8_t *)x, sizeof *x, kept, len);
    }
    u->restricted = len != 0;
}

int ww_ranges_legal(const uint8_t *ranges, size_t len)
{
    if (len % WW_RANGE_BYTES || len > WW_RANGES_MAX * WW_RANGE_BYTES)
        return 0;
    for (size_t at = 0; at < len; at += WW_RANGE_BYTES)
        if (ranges[at] > 128)
            return 0;
    return 1;
}

/* ---- from where ---- */

/* An IPv4 address is one in IPv6, behind ninety-six bits of its own: no range of IPv6 holds it. */
static uint32_t is_v4(const uint8_t *address)
{
    return ww_load_be64(address) == 0 && ww_load_be32(address + 8) == 0xffff;
}

static uint32_t in_range(const uint8_t *range, const uint8_t *address)
{
    uint32_t bits = range[0], differs = 0;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t left = bits > 8 * i ? bits - 8 * i : 0;
        uint32_t mask = left >= 8 ? 0xff : (0xff00u >> left) & 0xff;
        differs |= (range[1 + i] ^ address[i]) & mask;
    }
    uint32_t v4 = bits >= 96 && is_v4(range + 1);
    return (differs == 0) & (v4 == is_v4(address));
}

int ww_elsewhere(const ww_tables *t, const ww_attempt *a, const ww_event_in *in)
{
    if (!in->user || !in->user->restricted)
        return 0;
    size_t len;
    const uint8_t *ranges = ww_ranges_of(t, in->user, &len);
    uint32_t inside = 0; /* all of them are looked at: which one fits is nobody's matter */
    for (size_t at = 0; at < len; at += WW_RANGE_BYTES)
        inside |= in_range(ranges + at, a->address);
    return !(inside & a->has_address);
}

/* With nothing typed every name alike is asked for a challenge (RULES section 7): from elsewhere as
 * well, or the gateway would read which names are restricted, and so exist. */
uint8_t ww_asks(const ww_attempt *a, const ww_event_in *in)
{
    uint32_t reason;
    return !a->response_len && a->event == WW_EVENT_ATTEMPT && !(a->first & WW_FIRST_GIVEN) &&
           ww_unanswered(in, &reason) == WW_CHALLENGE;
}

uint8_t ww_shown(const ww_attempt *a)
{
    if (a->verdict == WW_NOT_PERMITTED && a->asks)
        return WW_CHALLENGE;
    uint32_t hidden = 1u << WW_NOT_PERMITTED | 1u << WW_LOCKED | 1u << WW_EXPIRED;
    return (uint8_t)ww_select_u64(hidden >> a->verdict & 1u, WW_REJECTED, a->verdict);
}

/* ---- without a device ---- */

int ww_has_device(const ww_tables *t, ww_user *u)
{
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        if (d->kind < WW_KIND_PASSWORD)
            return 1;
    return 0;
}

int ww_enters_bare(const ww_tables *t, const ww_policy *p, const ww_attempt *a,
                   const ww_event_in *in)
{
    ww_user *u = in->user;
    if (!u || a->event != WW_EVENT_ATTEMPT || a->response_len || a->challenge_len ||
        a->has_serial || a->first & (WW_FIRST_PIN | WW_FIRST_DEVICE) ||
        !(a->first & (WW_FIRST_RIGHT | WW_FIRST_VOUCHED)))
        return 0;
    return (u->account == WW_CLOSED && a->platform == WW_PORTAL) ||
           (u->opted_out && a->platform == WW_TRADING) ||
           (p->allow_no_device && !ww_has_device(t, u));
}

uint32_t ww_unanswered(const ww_event_in *in, uint32_t *reason)
{
    *reason = WW_REASON_EMPTY;
    if (!(in->limited & WW_PUSHED))
        return WW_CHALLENGE;
    switch (in->answers->push) {
    case WW_PUSH_PENDING:
        *reason = WW_REASON_PENDING;
        return WW_CHALLENGE;
    case WW_PUSH_OVERDUE:
        *reason = WW_REASON_OVERDUE;
        return WW_EXPIRED;
    case WW_PUSH_CANCELLED:
        *reason = WW_REASON_CANCELLED;
        return WW_EXPIRED;
    default:
        return 0;
    }
}

int64_t ww_session_ms(const ww_policy *p, const ww_attempt *a)
{
    if (a->verdict != WW_ACCEPTED || a->event != WW_EVENT_ATTEMPT)
        return 0;
    return p->session_ms[a->label == WW_IB_KEY ? a->biometric & 1u : 2];
}

/* ---- apply, for the acts of entry ---- */

static int apply_addresses(ww_tables *t, ww_user *u, const ww_record *r)
{
    const uint8_t *ranges = (const uint8_t *)(r + 1);
    ww_extra x = ww_extra_of(t, u);
    if (r->lock_ms > r->tail * (uint32_t)WW_RECORD_BYTES || !ww_ranges_legal(ranges, r->lock_ms) ||
        (u->opted_out && !r->lock_ms))
        return -1;
    ww_extra_place(t, u, &x, ranges, r->lock_ms);
    return 0;
}

static int apply_identity(ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_extra x = ww_extra_of(t, u);
    size_t len;
    const uint8_t *ranges = ww_ranges_of(t, u, &len);
    if (r->lock_ms && (r->lock_ms != WW_IDENTITY_BYTES || !r->tail))
        return -1;
    memset(x.identity, 0, sizeof x.identity);
    memcpy(x.identity, r + 1, r->lock_ms);
    ww_extra_place(t, u, &x, len ? ranges : (const uint8_t *)"", len);
    return 0;
}

/* A day before the newest counts as the newest: no clock that went back makes room. */
static int apply_withdrawal(ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_extra x = ww_extra_of(t, u);
    size_t len;
    const uint8_t *ranges = ww_ranges_of(t, u, &len);
    if (r->verdict != WW_ACCEPTED)
        return 0;
    if (r->lock_ms > x.day) {
        uint32_t past = r->lock_ms - x.day;
        for (uint32_t i = WW_LIMIT_DAYS; i-- > 0;)
            x.used_cents[i] = i >= past ? x.used_cents[i - past] : 0;
        x.day = r->lock_ms;
    }
    uint64_t left = UINT64_MAX - x.used_cents[0];
    x.used_cents[0] += r->moving < left ? r->moving : left;
    ww_extra_place(t, u, &x, len ? ranges : (const uint8_t *)"", len);
    return 0;
}

int ww_apply_entry(ww_tables *t, const ww_record *r)
{
    ww_user *u = ww_user_of(t, r);
    if (!u)
        return -1;
    ww_mark_dirty(t, (uint32_t)r->user, WW_DIRTY_STATE | WW_DIRTY_IDENTITY);
    switch (r->event) {
    case WW_EVENT_ADDRESSES:
        return apply_addresses(t, u, r);
    case WW_EVENT_IDENTITY:
        return apply_identity(t, u, r);
    case WW_EVENT_OPT:
        if (r->place > 1 || (r->place && !u->restricted))
            return -1;
        u->opted_out = r->place & 1u;
        return 0;
    case WW_EVENT_SHARE:
        return ww_apply_share(t, u, r);
    default:
        return apply_withdrawal(t, u, r);
    }
}
