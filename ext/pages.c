/* A page: 1,024 users as bytes. What is at rest looks like this.
 *
 * Identity pages hold who there is and what they carry (names, keys, serials); state pages hold
 * what logins change. Readers trust nothing: every length is held against the bytes that are left
 * and against its limit before it is used, and a page that does not fit is refused whole.
 */
#include "cursor.h"
#include "internal.h"

#include <string.h>

enum {
    IDENTITY_MAGIC = 0x49505757, /* "WWPI" */
    STATE_MAGIC = 0x53505757,    /* "WWPS" */
    PAGE_VERSION = 3,            /* 2 had no dates, no extras and nothing shared, 1 no labels and no
                                  * device that is asked */
    HEAD_BYTES = 20,             /* magic, version, page, slots, device_next */
    DEVICE_BYTES = 26            /* a device's fixed part in an identity page */
};

static uint32_t page_slots(const ww_tables *t, uint32_t page)
{
    uint32_t first = page * WW_PAGE_USERS;
    uint32_t left = t->users_used > first ? t->users_used - first : 0;
    return left < WW_PAGE_USERS ? left : WW_PAGE_USERS;
}

static uint8_t *put_head(const ww_tables *t, uint32_t page, uint32_t magic, uint8_t *to)
{
    to = put(to, magic, 4);
    to = put(to, PAGE_VERSION, 4);
    to = put(to, page, 4);
    to = put(to, page_slots(t, page), 4);
    return put(to, t->device_next, 4);
}

typedef struct { uint32_t slots, device_next; } head;
static head take_head(reader *r, uint32_t magic, uint32_t page)
{
    head h;
    r->bad |= take(r, 4) != magic;
    r->bad |= take(r, 4) - 1 >= PAGE_VERSION;
    r->bad |= take(r, 4) != page && page != UINT32_MAX;
    h.slots = (uint32_t)take(r, 4);
    h.device_next = (uint32_t)take(r, 4);
    r->bad |= h.slots > WW_PAGE_USERS;
    return h;
}

/* ---- identity ---- */

size_t ww_page_identity_max(const ww_tables *t, uint32_t page)
{
    size_t bytes = HEAD_BYTES;
    uint32_t first = page * WW_PAGE_USERS, slots = page_slots(t, page);
    for (uint32_t i = 0; i < slots; i++) {
        ww_user *u = &t->users[first + i];
        bytes += 8 + 1 + 2 + u->name_len + (u->extra ? sizeof(ww_extra) + 1 + UINT8_MAX : 0);
        if (u->name_len)
            for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
                bytes += DEVICE_BYTES + WW_KEY_BYTES_MAX + WW_SERIAL_BYTES_MAX + 2 +
                         WW_SUITE_BYTES_MAX + sizeof(((ww_spec *)0)->pin) + sizeof(ww_dates) +
                         ww_mid_bytes((ww_hash)d->hash);
    }
    return bytes;
}

static uint8_t *put_device(const ww_tables *t, const ww_device *d, uint8_t *to)
{
    size_t key_len, serial_len, pin_len;
    const uint8_t *pin = ww_device_pin(t, d, &pin_len), *key = ww_device_key(t, d, &key_len);
    const uint8_t *serial = ww_cold_second(t, d->cold, &serial_len);
    const ww_issue *issue = ww_is_asked(d->kind) ? ww_issue_of(t, d) : NULL;
    const ww_suite *suite = d->kind == WW_KIND_OCRA ? &t->suites[issue->suite] : NULL;
    int totp = d->kind == WW_KIND_TOTP;
    uint32_t steps = totp ? d->window : issue ? issue->steps : 0;
    to = put(to, d->number, 4);
    to = put(put(to, d->kind | (uint64_t)d->label << 4, 1), d->hash, 1);
    to = put(to, d->digits | (uint64_t)d->prefix << 4 | (uint64_t)d->dated << 5 |
                     (uint64_t)ww_shared(d) << 6, 1);
    to = put(put(to, steps >> 4, 1), steps & 15u, 1);
    to = put(put(to, totp ? 0 : d->window, 1), d->drift_max, 1);
    to = put(to, d->period_s, 2);
    to = put(to, (uint64_t)ww_device_t0(d), 8);
    to = put(to, d->state, 1); /* as enrolled is enough: the state page says what it is now */
    to = put(put(to, key_len, 2), serial_len, 2);
    if (suite)
        to = put(put(to, suite->text_len, 1), pin_len + issue->phone, 1);
    to = put_bytes(put_bytes(to, key, key_len), serial, serial_len);
    to = put_bytes(to, suite ? suite->text : key, suite ? suite->text_len : 0);
    to = put_bytes(to, pin, pin_len + (suite ? issue->phone : 0u)); /* they stand together */
    ww_dates dates;
    to = put_bytes(to, &dates, ww_device_dates(d, &dates) ? sizeof dates : 0);
    /* Midstates too: making ten million of them again would take longer than reading them. */
    return put_bytes(to, ww_device_mid(d), ww_mid_bytes((ww_hash)d->hash));
}

/* Beside account and realm: what else the user has follows the devices. */
enum { HAS_EXTRA = 16 };

static uint8_t *put_extra(const ww_tables *t, const ww_user *u, uint8_t *to)
{
    ww_extra x = ww_extra_of(t, u);
    size_t len;
    const uint8_t *ranges = ww_ranges_of(t, u, &len);
    to = put_bytes(to, &x, sizeof x);
    return put_bytes(put(to, len, 1), ranges, len);
}

size_t ww_page_identity_encode(const ww_tables *t, uint32_t page, uint8_t *out)
{
    uint32_t first = page * WW_PAGE_USERS, slots = page_slots(t, page);
    uint8_t *to = put_head(t, page, IDENTITY_MAGIC, out);
    for (uint32_t i = 0; i < slots; i++) {
        ww_user *u = &t->users[first + i];
        size_t len;
        to = put(to, u->id, 8); /* of a free slot too: the id is never used again */
        to = put(to, u->name_len, 1);
        if (!u->name_len)
            continue;
        to = put(to, (uint64_t)u->account | (uint64_t)u->realm << 2 | (uint64_t)u->opted_out << 3 |
                         (u->extra ? HAS_EXTRA : 0u), 1);
        to = put(to, u->devices, 1);
        const uint8_t *name = ww_user_name(t, u, &len);
        to = put_bytes(to, name, len);
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
            to = put_device(t, d, to);
        if (u->extra)
            to = put_extra(t, u, to);
    }
    return (size_t)(to - out);
}

/* Returns the midstates, in place. */
static const uint8_t *take_device(reader *r, ww_spec *s, uint32_t *number)
{
    memset(s, 0, sizeof *s);
    *number = (uint32_t)take(r, 4);
    uint8_t *const figures[] = {&s->kind, &s->hash, &s->digits, &s->back, &s->forward,
                                &s->look_ahead, &s->drift_max};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        *figures[i] = (uint8_t)take(r, 1);
    uint32_t prefix = s->digits >> 4 & 1u;
    s->dated = s->digits >> 5 & 1u;
    s->shared = s->digits >> 6 & 3u;
    s->digits &= 15u;
    s->label = s->kind >> 4;
    s->kind &= 15u;
    s->period_s = (uint16_t)take(r, 2);
    s->t0_s = (int64_t)take(r, 8);
    s->state = (uint8_t)take(r, 1);
    size_t key_len = take(r, 2), serial_len = take(r, 2);
    int ocra = s->kind == WW_KIND_OCRA;
    size_t suite_len = ocra ? take(r, 1) : 0;
    size_t pin_len = ocra ? take(r, 1) : prefix ? WW_KEPT_BYTES : 0;
    take_text(r, s->key, key_len, WW_KEY_BYTES_MAX);
    take_text(r, s->serial, serial_len, WW_SERIAL_BYTES_MAX);
    take_text(r, s->suite, suite_len, WW_SUITE_BYTES_MAX);
    take_text(r, s->pin, pin_len, sizeof s->pin);
    take_text(r, (uint8_t *)&s->dates, s->dated ? sizeof s->dates : 0, sizeof s->dates);
    if (r->bad)
        return NULL;
    s->key_len = (uint8_t)key_len;
    s->serial_len = (uint8_t)serial_len;
    s->suite_len = (uint8_t)suite_len;
    s->pin_len = (uint8_t)pin_len;
    r->bad |= !ww_spec_legal(s) || prefix != (pin_len == WW_KEPT_BYTES);
    return r->bad ? NULL : take_bytes(r, ww_mid_bytes((ww_hash)s->hash));
}

static void take_extra(reader *r, ww_tables *t, ww_user *u)
{
    ww_extra x = {0};
    uint8_t ranges[UINT8_MAX];
    take_text(r, (uint8_t *)&x, sizeof x, sizeof x);
    size_t len = take(r, 1);
    take_text(r, ranges, len, sizeof ranges);
    r->bad |= !ww_ranges_legal(ranges, len);
    if (!r->bad)
        ww_extra_place(t, u, &x, ranges, len);
}

static void take_user(reader *r, ww_tables *t, uint32_t slot)
{
    uint64_t id = take(r, 8);
    uint32_t len = (uint32_t)take(r, 1);
    ww_user *u = &t->users[slot];
    memset(u, 0, sizeof *u);
    u->id = id;
    r->bad |= (uint32_t)id != slot;
    if (!len || r->bad)
        return;
    uint32_t place = (uint32_t)take(r, 1), devices = (uint32_t)take(r, 1);
    r->bad |= len > WW_NAME_BYTES_MAX || devices > WW_HELD_PER_USER_MAX;
    const uint8_t *name = r->bad ? NULL : take_bytes(r, len);
    if (!name)
        return;
    u->account = place & 3u;
    u->realm = (place >> 2) & 1u;
    u->opted_out = (place >> 3) & 1u;
    u->name_len = (uint8_t)len;
    if (len <= WW_NAME_INLINE_BYTES)
        memcpy(u->name.text, name, len);
    else
        u->name.cold = ww_cold_add(t, name, len, NULL, 0);
    t->users_live++;
    ww_spec s;
    for (uint32_t i = 0; i < devices && !r->bad; i++) {
        uint32_t number;
        const uint8_t *mid = take_device(r, &s, &number);
        ww_device *d = mid ? ww_device_place(t, u, &s, mid) : NULL;
        if (d)
            d->number = number;
        r->bad |= !d;
    }
    ww_wipe(&s, sizeof s);
    if (place & HAS_EXTRA && !r->bad)
        take_extra(r, t, u);
}

int ww_page_identity_needed(const uint8_t *in, size_t len, ww_page_needs *needs)
{
    reader r = {in, in + len, 0};
    head h = take_head(&r, IDENTITY_MAGIC, UINT32_MAX);
    /* Bounds, not counts: addresses cost nothing, and reading a page twice would. */
    needs->slots = h.slots;
    needs->wides = (uint32_t)(len / (DEVICE_BYTES + WW_KEY_BYTES_MIN + 1)) + 1;
    needs->cold_bytes = 2 * len + 8;
    return r.bad ? -1 : 0;
}

/* The page's users into the index, each entry's line asked for before it is written. */
static void index_page(ww_tables *t, uint32_t first, uint32_t slots)
{
    enum { AHEAD = 16 };
    uint64_t hashes[WW_PAGE_USERS];
    for (uint32_t i = 0; i < slots + AHEAD; i++) {
        if (i < slots && t->users[first + i].name_len) {
            size_t len;
            const uint8_t *name = ww_user_name(t, &t->users[first + i], &len);
            hashes[i] = ww_name_hash(t, name, len);
            __builtin_prefetch(&t->index[(uint32_t)(hashes[i] >> 32) & t->index_mask], 1);
        }
        if (i >= AHEAD && t->users[first + i - AHEAD].name_len)
            ww_slot_index(t, first + i - AHEAD, hashes[i - AHEAD]);
    }
}

int ww_page_identity_decode(ww_tables *t, uint32_t page, const uint8_t *in, size_t len)
{
    reader r = {in, in + len, 0};
    head h = take_head(&r, IDENTITY_MAGIC, page);
    uint32_t first = page * WW_PAGE_USERS;
    for (uint32_t i = 0; i < h.slots && !r.bad; i++)
        take_user(&r, t, first + i);
    if (r.bad || r.at != r.end)
        return -1;
    index_page(t, first, h.slots);
    if (t->users_used < first + h.slots)
        t->users_used = first + h.slots;
    if (t->device_next < h.device_next)
        t->device_next = h.device_next;
    return 0;
}

/* ---- state ---- */

enum { USER_STATE_BYTES = 4 + 20 + 4 * (WW_RING_INLINE + WW_RING_DEEP), DEVICE_STATE_BYTES = 15,
       ISSUE_BYTES = 37 + 4 * WW_SENT_MAX, /* more for one that is asked, or sent to */
       ANSWERED = 16, RESYNC = 32 }; /* beside the state; of answers, a byte follows */

size_t ww_page_state_max(const ww_tables *t, uint32_t page)
{
    size_t bytes = HEAD_BYTES;
    uint32_t first = page * WW_PAGE_USERS, slots = page_slots(t, page);
    for (uint32_t i = 0; i < slots; i++)
        bytes += USER_STATE_BYTES + t->users[first + i].devices *
                                        (size_t)(DEVICE_STATE_BYTES + ISSUE_BYTES);
    return bytes;
}

static uint32_t gaps_kept(const ww_tables *t, const ww_streak *s)
{
    uint32_t kept = s->count > 1 ? s->count - 1u : 0;
    uint32_t most = WW_RING_INLINE + (t->deep ? WW_RING_DEEP : 0);
    return kept < most ? kept : most;
}

size_t ww_page_state_encode(const ww_tables *t, uint32_t page, uint8_t *out)
{
    uint32_t first = page * WW_PAGE_USERS, slots = page_slots(t, page);
    uint8_t *to = put_head(t, page, STATE_MAGIC, out);
    for (uint32_t i = 0; i < slots; i++) {
        ww_user *u = &t->users[first + i];
        const ww_streak *s = &u->streak;
        if (!u->name_len)
            continue;
        int streak = s->last_ms || s->lock_until_ms || s->count;
        to = put(put(to, i, 2), u->devices, 1);
        to = put(to, (uint64_t)streak | (uint64_t)u->wrong_answers << 1, 1);
        if (streak) {
            uint32_t gaps = gaps_kept(t, s);
            to = put(to, (uint64_t)s->last_ms, 8);
            to = put(to, (uint64_t)s->lock_until_ms, 8);
            to = put(to, s->count, 1);
            to = put(to, gaps, 1);
            for (uint32_t g = 0; g < gaps; g++)
                to = put(to, g < WW_RING_INLINE ? s->gap_ms[g]
                                                : t->deep[first + i][g - WW_RING_INLINE], 4);
        }
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
            to = put(to, d->number, 4);
            to = put(to, d->moving, 8);
            to = put(to, (uint8_t)d->drift, 1);
            to = put(to, d->failures, 1);
            uint64_t answers = ww_has_issue(d) ? ww_issue_of(t, d)->answers : 0;
            to = put(to, d->state | (uint32_t)d->capped << 3 | (answers ? ANSWERED : 0u) |
                             (d->resync ? RESYNC : 0u), 1);
            to = put(to, answers, answers != 0);
            if (ww_keeps_issue(d)) {
                const ww_issue *issue = ww_issue_of(t, d);
                to = put(to, issue->issued, 4);
                for (uint32_t at = 0; at < WW_PLATFORMS; at++) {
                    ww_open open = ww_device_open(t, d, at);
                    to = put_bytes(to, &open, sizeof open);
                }
                to = put_bytes(to, issue->sent_s, ww_is_sms(d) ? 4 * WW_SENT_MAX : 0);
            }
        }
    }
    return (size_t)(to - out);
}

static void take_streak(reader *r, ww_tables *t, uint32_t slot, ww_streak *s)
{
    s->last_ms = (int64_t)take(r, 8);
    s->lock_until_ms = (int64_t)take(r, 8);
    s->count = (uint8_t)take(r, 1);
    uint32_t gaps = (uint32_t)take(r, 1);
    r->bad |= s->count > WW_LOCKOUT_FAILURES_MAX || gaps > WW_RING_INLINE + WW_RING_DEEP;
    for (uint32_t g = 0; g < gaps && !r->bad; g++) {
        uint32_t gap = (uint32_t)take(r, 4), *deep = t->deep ? t->deep[slot] : NULL;
        *(g < WW_RING_INLINE ? &s->gap_ms[g] : deep ? &deep[g - WW_RING_INLINE] : &gap) = gap;
    }
    if (t->deep && !r->bad) /* the page may be from when fewer were kept */
        ww_streak_deepen(s, t->deep[slot], gaps);
}

static void take_issue(reader *r, ww_tables *t, ww_device *d, uint32_t answered)
{
    ww_issue *issue = ww_issue_of(t, d);
    issue->answers = (uint8_t)take(r, answered);
    issue->issued = (uint32_t)take(r, 4);
    take_text(r, (uint8_t *)issue->open, sizeof issue->open, sizeof issue->open);
    for (uint32_t at = 0; at < WW_PLATFORMS && !r->bad; at++)
        r->bad |= ww_question_keep(t, d, at);
    take_text(r, (uint8_t *)issue->sent_s, ww_is_sms(d) ? 4 * WW_SENT_MAX : 0, 4 * WW_SENT_MAX);
}

int ww_page_state_decode(ww_tables *t, uint32_t page, const uint8_t *in, size_t len)
{
    reader r = {in, in + len, 0};
    head h = take_head(&r, STATE_MAGIC, page);
    uint32_t first = page * WW_PAGE_USERS;
    while (!r.bad && r.at != r.end) {
        uint32_t i = (uint32_t)take(&r, 2), devices = (uint32_t)take(&r, 1);
        uint32_t flags = (uint32_t)take(&r, 1);
        if (r.bad || i >= h.slots || first + i >= t->users_used)
            return -1;
        ww_user *u = &t->users[first + i];
        if (!u->name_len || u->devices != devices)
            return -1;
        r.bad |= flags > 7;
        u->wrong_answers = flags >> 1 & 3u;
        if (flags & 1)
            take_streak(&r, t, first + i, &u->streak);
        for (uint32_t k = 0; k < devices && !r.bad; k++) {
            ww_device *d = ww_device_find(t, u, (uint32_t)take(&r, 4));
            if (r.bad || !d)
                return -1;
            d->moving = take(&r, 8);
            d->drift = (int8_t)take(&r, 1);
            d->failures = (uint8_t)take(&r, 1);
            uint32_t state = (uint32_t)take(&r, 1);
            r.bad |= (state & 7) > WW_ENDED || ((state & ANSWERED) && !ww_has_issue(d));
            d->state = state & 7u;
            d->capped = (state >> 3) & 1u;
            d->resync = (state & RESYNC) != 0;
            if (ww_keeps_issue(d))
                take_issue(&r, t, d, state & ANSWERED ? 1 : 0);
        }
    }
    return r.bad ? -1 : 0;
}
