/* The devices of a user, in the order of their enrolment, and what one of them is: its midstates,
 * its key, its kind and rank.
 *
 * Rule: nothing here changes anything; kind, rank and serial are public, a key is not.
 */
#include "internal.h"

#include <string.h>

ww_device *ww_device_first(const ww_tables *t, ww_user *u)
{
    if (u->device.kind)
        return &u->device;
    return u->more ? &t->wides[u->more - 1].line : NULL;
}

ww_device *ww_device_next(const ww_tables *t, ww_user *u, ww_device *d)
{
    if (u->devices == 1)
        return NULL; /* what says so stands in a line of its own */
    uint32_t next = d != &u->device ? ww_far_of(d)->next
                    : u->card.here  ? ww_far_of(&t->wides[u->more - 1].line)->next : u->more;
    return next ? &t->wides[next - 1].line : NULL;
}

ww_device *ww_device_find(const ww_tables *t, ww_user *u, uint32_t number)
{
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        if (d->number == number)
            return d;
    return NULL;
}

const void *ww_device_mid(const ww_device *d)
{
    return d->hash == WW_SHA1 ? d->u.sha1 : (const void *)&((const ww_wide *)(const void *)d)->mid;
}

ww_far *ww_far_of(const ww_device *d)
{
    ww_wide *w = (ww_wide *)(uintptr_t)d; /* tables can be written to, whoever reads */
    return d->hash == WW_SHA1 ? &w->mid.far : &w->line.u.far;
}

ww_issue *ww_device_issue(ww_device *d) { return &((ww_wide *)(void *)d)->issue; }

ww_issue *ww_issue_of(const ww_tables *t, const ww_device *d)
{
    return d->wide ? &((ww_wide *)(uintptr_t)d)->issue
                   : &t->wides[ww_user_around(d)->more - 1].issue;
}

ww_open ww_device_open(const ww_tables *t, const ww_device *d, uint32_t platform)
{
    ww_open open = ww_issue_of(t, d)->open[platform];
    if (!d->wide && !(ww_user_around(d)->card.stands >> platform & 1u))
        open.stands = 0;
    return open;
}

void ww_open_end(const ww_tables *t, ww_device *d, uint32_t platform)
{
    if (d->wide)
        ww_issue_of(t, d)->open[platform].stands = 0;
    else
        ww_user_around(d)->card.stands &= (uint8_t)~((1u | WW_CARD_FREE) << platform);
}

/* A PIN's digest stands behind the key, as long as the suite says. */
static size_t pin_bytes(const ww_tables *t, const ww_device *d)
{
    if (d->prefix)
        return WW_KEPT_BYTES;
    return d->kind == WW_KIND_OCRA
               ? t->suites[((const ww_wide *)(const void *)d)->issue.suite].pin_bytes : 0;
}

/* And behind that the public key of an ib-key's phone. */
static size_t phone_bytes(const ww_device *d)
{
    return d->kind == WW_KIND_OCRA ? ((const ww_wide *)(const void *)d)->issue.phone : 0;
}

const uint8_t *ww_device_key(const ww_tables *t, const ww_device *d, size_t *len)
{
    const uint8_t *key = ww_cold_first(t, d->cold, len);
    *len -= pin_bytes(t, d) + phone_bytes(d);
    return key;
}

const uint8_t *ww_device_pin(const ww_tables *t, const ww_device *d, size_t *len)
{
    const uint8_t *key = ww_cold_first(t, d->cold, len);
    size_t pin = pin_bytes(t, d), key_len = *len - pin - phone_bytes(d);
    *len = pin;
    return key + key_len;
}

const uint8_t *ww_device_phone(const ww_tables *t, const ww_device *d, size_t *len)
{
    const uint8_t *key = ww_cold_first(t, d->cold, len);
    size_t phone = phone_bytes(d), before = *len - phone;
    *len = phone;
    return key + before;
}

/* RULES 3, by ww_label. */
static const struct { const char *name; uint32_t rank; } labels[WW_LABELS] = {
    {"", 0}, {"dsc-plus", 3}, {"gold", 3}, {"platinum", 3}, {"ib-key", 1}, {"alpine", 1},
    {"dsc", 2}, {"code-card", 1}, {"online-code-card", 1}, {"temporary-passcode", 0}, {"sms", 1},
};

const char *ww_kind_name(uint32_t kind, uint32_t label)
{
    static const char *const names[WW_KINDS] = {"none", "totp", "hotp", "ocra", "card", "passcode",
                                                 "password", "question"};
    return label && label < WW_LABELS ? labels[label].name : names[kind < WW_KINDS ? kind : 0];
}

uint32_t ww_device_rank(const ww_policy *p, const ww_device *d)
{
    return d->label && d->label < WW_LABELS ? labels[d->label].rank
                                            : p->ranks[d->kind < WW_KINDS ? d->kind : 0];
}

int ww_device_before(const ww_tables *t, const ww_policy *p, const ww_device *a,
                     const ww_device *b)
{
    uint32_t a_rank = ww_device_rank(p, a), b_rank = ww_device_rank(p, b);
    if ((a->state == WW_ENDED) != (b->state == WW_ENDED))
        return b->state == WW_ENDED; /* one that says no more than that it ended */
    if (a_rank != b_rank)
        return a_rank > b_rank;
    size_t a_len, b_len;
    const uint8_t *x = ww_cold_second(t, a->cold, &a_len), *y = ww_cold_second(t, b->cold, &b_len);
    int order = memcmp(x, y, a_len < b_len ? a_len : b_len);
    return order ? order < 0 : a_len < b_len;
}

int64_t ww_device_t0(const ww_device *d) { return d->wide ? ww_far_of(d)->t0_s : 0; }
