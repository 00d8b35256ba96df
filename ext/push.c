/* Pushes: logins that a phone is asked to approve, and what an attempt that names one meets.
 *
 * They live in memory alone. A crash forgets them, and whoever waits asks again: an id is random
 * and never comes back, so nothing that was used could. Rule: a name that does not exist, or has
 * no phone, gets one of the same life and the same limit, which stays pending.
 */
#include "match.h"

#include <string.h>

static int64_t moment(const ww_tables *t, int64_t now_ms)
{
    return now_ms > t->latest_ms ? now_ms : t->latest_ms;
}

/* ---- the table ---- */

static uint32_t *id_bucket(const ww_tables *t, const uint8_t id[WW_PUSH_ID_BYTES])
{
    return &t->pushes->by_id[ww_load_le16(id) % WW_PUSH_BUCKETS];
}

static uint32_t *name_bucket(const ww_tables *t, uint64_t name_hash)
{
    return &t->pushes->by_name[name_hash % WW_PUSH_BUCKETS];
}

static ww_push *push_at(const ww_tables *t, uint32_t link)
{
    return link ? &t->pushes->at[link - 1] : NULL;
}

ww_push *ww_push_find(const ww_tables *t, const uint8_t id[WW_PUSH_ID_BYTES])
{
    if (!t->pushes)
        return NULL;
    for (ww_push *push = push_at(t, *id_bucket(t, id)); push; push = push_at(t, push->same_id))
        if (!memcmp(push->id, id, WW_PUSH_ID_BYTES))
            return push;
    return NULL;
}

static void unlink_push(ww_tables *t, const ww_push *push, uint32_t place)
{
    uint32_t *link = id_bucket(t, push->id);
    while (*link != place)
        link = &push_at(t, *link)->same_id;
    *link = push->same_id;
    link = name_bucket(t, push->name_hash);
    while (*link != place)
        link = &push_at(t, *link)->same_name;
    *link = push->same_name;
}

/* A place: the oldest's when nobody can miss it, else a new one. 0: there is none. */
static uint32_t take_place(ww_tables *t, const ww_policy *p, int64_t at)
{
    ww_pushes *all = t->pushes;
    uint32_t keeps_ms = p->push_ms > p->push_window_ms ? p->push_ms : p->push_window_ms;
    ww_push *oldest = push_at(t, all->oldest);
    if (oldest && at - oldest->asked_ms >= keeps_ms) {
        uint32_t place = all->oldest;
        unlink_push(t, oldest, place);
        all->oldest = oldest->younger;
        return place;
    }
    return all->used < all->cap ? ++all->used : 0;
}

/* ---- asking ---- */

/* How many count, and the one that is pending, if any: the newest first, as they hang. */
static uint32_t lately(const ww_tables *t, const ww_policy *p, uint64_t name_hash, int64_t at,
                       ww_push **pending)
{
    uint32_t count = 0, approved = 0;
    *pending = NULL;
    for (ww_push *push = push_at(t, *name_bucket(t, name_hash)); push;
         push = push_at(t, push->same_name)) {
        if (push->name_hash != name_hash)
            continue;
        if (push->state == WW_PUSH_PENDING && at < push->until_ms)
            *pending = push;
        approved |= push->state == WW_PUSH_APPROVED;
        count += !approved && at - push->asked_ms < p->push_window_ms;
    }
    return count;
}

static ww_device *phone_of(const ww_tables *t, ww_user *u, const ww_push_ask *a, int64_t at)
{
    for (ww_device *d = u ? ww_device_first(t, u) : NULL; d; d = ww_device_next(t, u, d)) {
        size_t len;
        const uint8_t *serial = ww_cold_second(t, d->cold, &len);
        if (!ww_has_phone(d) || ww_device_stands(t, u, d, at) != WW_ACTIVE)
            continue;
        if (!a->has_serial || (len == a->serial_len && !memcmp(serial, a->serial, len)))
            return d;
    }
    return NULL;
}

static void open_at(ww_tables *t, const ww_policy *p, ww_push_ask *a, uint32_t place,
                    uint64_t name_hash, uint64_t user, int64_t at)
{
    ww_pushes *all = t->pushes;
    uint32_t *by_id = id_bucket(t, a->id), *by_name = name_bucket(t, name_hash);
    ww_push *push = push_at(t, place);
    *push = (ww_push){.name_hash = name_hash, .user = user, .asked_ms = at,
                      .until_ms = at + p->push_ms, .device = a->device, .same_id = *by_id,
                      .same_name = *by_name, .platform = a->platform, .number = a->number,
                      .state = WW_PUSH_PENDING};
    memcpy(push->id, a->id, sizeof push->id);
    *by_id = *by_name = place;
    if (all->oldest)
        push_at(t, all->newest)->younger = place;
    else
        all->oldest = place;
    all->newest = place;
    a->expires_ms = push->until_ms;
}

ww_push_asked ww_push_open(ww_tables *t, const ww_policy *p, ww_push_ask *a, int64_t now_ms)
{
    uint64_t hash = ww_name_hash(t, a->name, a->name_len);
    uint32_t slot = ww_slot_within(t, hash, a->name, a->name_len, a->within);
    ww_user *u = slot == WW_SLOT_NONE ? NULL : &t->users[slot];
    int64_t at = moment(t, now_ms);
    ww_device *d = phone_of(t, u, a, at);
    ww_push *pending;
    a->device = d ? d->number : 0;
    a->cold = d ? d->cold : 0;
    if (lately(t, p, hash, at, &pending) >= p->push_per_window)
        return WW_PUSH_SPENT;
    uint32_t place = take_place(t, p, at);
    if (!place)
        return WW_PUSH_FULL;
    if (pending) { /* of another place: one that is pending is not old enough to make room */
        pending->state = WW_PUSH_CANCELLED;
        a->cancels = 1;
        memcpy(a->cancelled, pending->id, sizeof a->cancelled);
    }
    open_at(t, p, a, place, hash, u ? u->id : WW_PUSH_NOBODY, at);
    return WW_PUSH_OPENED;
}

/* ---- what has become of one ---- */

uint8_t ww_push_stands(const ww_tables *t, const ww_push *push, int64_t now_ms)
{
    if (push->claimed)
        return WW_PUSH_NONE;
    if (push->state == WW_PUSH_CANCELLED)
        return WW_PUSH_CANCELLED;
    return moment(t, now_ms) >= push->until_ms ? WW_PUSH_OVERDUE : push->state;
}

uint32_t ww_push_list(const ww_tables *t, uint64_t name_hash, int64_t now_ms, uint32_t *places,
                      uint32_t most)
{
    uint32_t count = 0;
    for (ww_push *push = push_at(t, *name_bucket(t, name_hash)); push && count < most;
         push = push_at(t, push->same_name))
        if (push->name_hash == name_hash && moment(t, now_ms) < push->until_ms)
            places[count++] = (uint32_t)(push - t->pushes->at);
    return count;
}

ww_device *ww_push_phone(const ww_tables *t, const ww_push *push)
{
    uint32_t slot = (uint32_t)push->user;
    if (!push->device || slot >= t->users_used || t->users[slot].id != push->user ||
        !t->users[slot].name_len)
        return NULL;
    ww_device *d = ww_device_find(t, &t->users[slot], push->device);
    return d && d->state == WW_ACTIVE ? d : NULL;
}

/* ---- an attempt that names one ---- */

static int read_id(const uint8_t *text, uint8_t id[WW_PUSH_ID_BYTES])
{
    for (size_t i = 0; i < WW_PUSH_ID_CHARS; i++) { /* an id is no secret to whoever sent it */
        uint8_t c = text[i], digit = c <= '9' ? (uint8_t)(c - '0') : (uint8_t)(c - 'a' + 10);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return -1;
        id[i / 2] = (uint8_t)(id[i / 2] << 4 | digit);
    }
    return 0;
}

/* The push that is named, when it is this user's, for this platform, and of the device named; none
 * changes a PIN. */
static ww_push *own_push(const ww_tables *t, const ww_batch *b, const ww_attempt *a)
{
    uint8_t id[WW_PUSH_ID_BYTES] = {0};
    ww_user *u = a->slot == WW_SLOT_NONE ? NULL : &t->users[a->slot];
    if (a->response_len || a->event != WW_EVENT_ATTEMPT || read_id(b->bytes + a->second_at, id))
        return NULL;
    if (a->first & WW_FIRST_PIN) /* a change takes the PIN that was, and nobody typed it here */
        return NULL;
    ww_push *push = ww_push_find(t, id);
    if (!push || push->name_hash != a->name_hash || push->platform != a->platform ||
        push->user != (u ? u->id : WW_PUSH_NOBODY))
        return NULL;
    if (!push->device)
        return push;
    ww_device *d = ww_device_find(t, u, push->device);
    if (!d)
        return NULL;
    size_t len;
    const uint8_t *serial = ww_cold_second(t, d->cold, &len);
    if (a->has_serial && (len != a->serial_len || memcmp(serial, b->bytes + a->serial_at, len)))
        return NULL;
    return push;
}

static uint8_t refusal(uint8_t stands, const ww_device *d)
{
    switch (stands) {
    case WW_PUSH_APPROVED:
        return d ? 0 : WW_REASON_DEVICE_INACTIVE;
    case WW_PUSH_DENIED:
        return WW_REASON_DENIED;
    case WW_PUSH_MISMATCHED:
        return WW_REASON_MISMATCHED;
    default:
        return WW_REASON_NO_CHALLENGE;
    }
}

void ww_lay_push(const ww_tables *t, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                 uint32_t i, uint32_t *n, int64_t now_ms)
{
    ww_push *push = own_push(t, b, a);
    ww_device *d = push ? ww_push_phone(t, push) : NULL;
    uint8_t stands = push ? ww_push_stands(t, push, now_ms) : WW_PUSH_NONE;
    ww_try *y = &s->tries[*n];
    memset(y, 0, sizeof *y);
    y->device = stands ? d : NULL;
    y->count = 1; /* a lane under nobody's key: no response, so it is never right */
    y->mask.lo = stands == WW_PUSH_APPROVED && d;
    s->answers[*n] = (ww_answer){.steps = 1, .platform = a->platform, .push = stands,
                                 .push_at = push ? (uint32_t)(push - t->pushes->at) + 1 : 0};
    s->inactive[i] = refusal(stands, d);
    s->passed_over[i] |= WW_PUSHED;
    s->pushes++;
    s->source[*n] = &ww_nobody;
    s->owner[*n] = (uint8_t)i;
    ++*n;
}

/* Only an attempt that was decided claims, and only what the phone has decided. */
void ww_push_claims(ww_tables *t, ww_batch *b, uint32_t from, const ww_scratch *s, uint32_t group)
{
    for (uint32_t i = 0; i < group; i++) {
        ww_attempt *a = &b->attempts[from + i];
        const ww_answer *w = &s->answers[s->first[i]];
        if (!(s->passed_over[i] & WW_PUSHED) || !w->push_at ||
            a->units == a->came_due || a->reason == WW_REASON_ADDRESS ||
            (w->push != WW_PUSH_APPROVED && w->push != WW_PUSH_DENIED &&
             w->push != WW_PUSH_MISMATCHED))
            continue;
        ww_push *push = push_at(t, w->push_at);
        push->claimed = 1;
        a->biometric = push->biometric;
    }
}
