/* Phones by their public keys, so that one phone has one PIN, whoever it serves; and devices that
 * users share, by the devices' own keys (shares.c).
 *
 * A chain through the devices that have a key, from a table of the keyed hash of it; both are made
 * anew from the devices. Rule: a public key is no secret, a PIN's digest and a device's key are.
 */
#include "internal.h"

#include <string.h>

static uint32_t *bucket_of(const ww_tables *t, const uint8_t *key, size_t len)
{
    uint64_t hash = ww_name_hash(t, key, len);
    WW_PUBLIC(&hash, sizeof hash); /* of a device's key too: keyed, it tells nothing of that */
    return &t->phones[hash & t->phones_mask];
}

/* Under what a device is found; nothing: it is not. */
static const uint8_t *key_of(const ww_tables *t, const ww_device *d, size_t *len)
{
    *len = 0;
    if (!d->wide || !t->phones)
        return NULL;
    return ww_far_of(d)->shared ? ww_device_key(t, d, len) : ww_device_phone(t, d, len);
}

ww_device *ww_linked_first(const ww_tables *t, const ww_device *d)
{
    size_t len;
    const uint8_t *key = key_of(t, d, &len);
    uint32_t at = len ? *bucket_of(t, key, len) : 0;
    return at ? &t->wides[at - 1].line : NULL;
}

ww_device *ww_linked_under(const ww_tables *t, const uint8_t *key, size_t len)
{
    uint32_t at = t->phones ? *bucket_of(t, key, len) : 0;
    return at ? &t->wides[at - 1].line : NULL;
}

void ww_phone_link(ww_tables *t, ww_device *d)
{
    size_t len;
    const uint8_t *key = key_of(t, d, &len);
    if (!len)
        return;
    uint32_t *bucket = bucket_of(t, key, len);
    ww_far_of(d)->alike = *bucket;
    *bucket = (uint32_t)((ww_wide *)(void *)d - t->wides) + 1;
}

void ww_phone_unlink(ww_tables *t, const ww_device *d)
{
    size_t len;
    const uint8_t *key = key_of(t, d, &len);
    if (!len)
        return;
    uint32_t *link = bucket_of(t, key, len);
    while (*link && &t->wides[*link - 1].line != d)
        link = &ww_far_of(&t->wides[*link - 1].line)->alike;
    if (*link)
        *link = ww_far_of(d)->alike;
}

void ww_phones_rebuild(ww_tables *t)
{
    memset(t->phones, 0, ((size_t)t->phones_mask + 1) * sizeof *t->phones);
    for (uint32_t i = 0; i < t->wides_used; i++)
        ww_phone_link(t, &t->wides[i].line);
}

/* The first of these lines of the chain that is this phone's; of another user or of the same. */
static ww_device *phone_from(const ww_tables *t, const uint8_t *key, size_t len, uint32_t at)
{
    while (at) {
        size_t other_len;
        ww_device *other = &t->wides[at - 1].line;
        const uint8_t *phone = ww_device_phone(t, other, &other_len);
        if (other_len == len && !memcmp(phone, key, len))
            return other;
        at = ww_far_of(other)->alike;
    }
    return NULL;
}

ww_device *ww_phone_first(const ww_tables *t, const ww_device *d)
{
    size_t len;
    const uint8_t *key = ww_device_phone(t, d, &len);
    return phone_from(t, key, len, len && t->phones ? *bucket_of(t, key, len) : 0);
}

ww_device *ww_phone_next(const ww_tables *t, const ww_device *d, const ww_device *other)
{
    size_t len;
    const uint8_t *key = ww_device_phone(t, d, &len);
    return phone_from(t, key, len, ww_far_of(other)->alike);
}

int ww_phone_pin_fits(const ww_tables *t, const uint8_t key[WW_PHONE_BYTES], const uint8_t *pin,
                      size_t pin_len)
{
    uint32_t differs = 0;
    for (uint32_t at = t->phones ? *bucket_of(t, key, WW_PHONE_BYTES) : 0; at;) {
        const ww_device *d = &t->wides[at - 1].line;
        size_t phone_len, own_len;
        const uint8_t *phone = ww_device_phone(t, d, &phone_len);
        const uint8_t *own = ww_device_pin(t, d, &own_len);
        if (phone_len && !memcmp(phone, key, WW_PHONE_BYTES))
            differs |= own_len != pin_len ? 1u : 1u ^ ww_equal(own, pin, pin_len);
        at = ww_far_of(d)->alike;
    }
    WW_PUBLIC(&differs, sizeof differs); /* what is told, and nothing of where */
    return !differs;
}
