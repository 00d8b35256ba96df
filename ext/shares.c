/* One device of several users, and one key enrolled twice: what shows the same codes.
 *
 * Devices that are shared hang in one chain by their keys (phones.c); each stands in a line of its
 * own, with its user's failures and state. The moving factor is the device's, whoever shares it:
 * decide writes ALSO for every sharer. Rule: a user with a shared device begins a group (verify.c),
 * and a store that has one decides its batches in one part (Split), so that no sharer is decided
 * from a state that another one is changing.
 */
#include "internal.h"

#include <string.h>

/* Whether two devices show the same codes: one key enrolled twice. Questions are never the same;
 * the pairs of one card are, in one order. */
int ww_same_codes(const ww_device *a, const ww_device *b)
{
    if (a->kind == WW_KIND_OCRA || a->kind != b->kind || a->hash != b->hash ||
        a->period_s != b->period_s || ww_device_t0(a) != ww_device_t0(b) ||
        (a->kind == WW_KIND_CARD && a->window != b->window))
        return 0;
    return (int)ww_equal(ww_device_mid(a), ww_device_mid(b), ww_mid_bytes((ww_hash)a->hash));
}

static ww_device *sharer_from(const ww_tables *t, const ww_device *d, ww_device *other)
{
    size_t len, other_len;
    const uint8_t *key = ww_device_key(t, d, &len);
    while (other) {
        const uint8_t *other_key = ww_device_key(t, other, &other_len);
        if (other != d && ww_shared(other) && other->kind == d->kind && other_len == len &&
            ww_equal(other_key, key, len))
            return other;
        uint32_t alike = ww_far_of(other)->alike;
        other = alike ? &t->wides[alike - 1].line : NULL;
    }
    return NULL;
}

ww_device *ww_sharer_first(const ww_tables *t, const ww_device *d)
{
    return ww_shared(d) ? sharer_from(t, d, ww_linked_first(t, d)) : NULL;
}

ww_device *ww_sharer_next(const ww_tables *t, const ww_device *d, ww_device *sharer)
{
    uint32_t alike = ww_far_of(sharer)->alike;
    return alike ? sharer_from(t, d, &t->wides[alike - 1].line) : NULL;
}

int ww_key_shared(const ww_tables *t, const ww_device *d)
{
    size_t len;
    const uint8_t *key = ww_device_key(t, d, &len);
    return !ww_shared(d) && sharer_from(t, d, ww_linked_under(t, key, len)) != NULL;
}

uint32_t ww_sharers_of(const ww_tables *t, const ww_device *d, ww_device *sharers[WW_SHARERS_MAX])
{
    uint32_t n = 0;
    for (ww_device *o = ww_sharer_first(t, d); o; o = ww_sharer_next(t, d, o)) {
        if (n == WW_SHARERS_MAX)
            break; /* the door sees to it that there are no more */
        uint32_t at = n++;
        for (; at && sharers[at - 1]->number > o->number; at--)
            sharers[at] = sharers[at - 1];
        sharers[at] = o;
    }
    return n;
}

uint32_t ww_sharers(const ww_tables *t, ww_user *u)
{
    uint32_t n = 0;
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        for (ww_device *o = ww_sharer_first(t, d); o; o = ww_sharer_next(t, d, o))
            n++;
    return n;
}

int ww_apply_share(ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_device *d = ww_device_find(t, u, r->device);
    if (r->verdict != WW_ACCEPTED)
        return 0; /* refused, and told why */
    if (!d || d->kind >= WW_KIND_PASSCODE || d->label == WW_IB_KEY)
        return -1;
    if (ww_shared(d))
        return 0;
    if (d == &u->device)
        d = ww_device_widen(t, u); /* where there is room for it */
    ww_far_of(d)->shared = WW_SHARED_OWN;
    u->sharing = 1;
    t->shared_used++;
    ww_phone_link(t, d);
    return 0;
}
