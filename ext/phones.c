/* Phones by their public keys, so that one phone has one PIN, whoever it serves.
 *
 * A chain through the devices that have a key, from a table of the keyed hash of it; both are made
 * anew from the devices. Rule: a public key is no secret, a PIN's digest is one.
 */
#include "internal.h"

#include <string.h>

static uint32_t *bucket_of(const ww_tables *t, const uint8_t key[WW_PHONE_BYTES])
{
    return &t->phones[ww_name_hash(t, key, WW_PHONE_BYTES) & t->phones_mask];
}

void ww_phone_link(ww_tables *t, ww_device *d)
{
    size_t len = 0;
    const uint8_t *key = d->wide && t->phones ? ww_device_phone(t, d, &len) : NULL;
    if (!len)
        return;
    uint32_t *bucket = bucket_of(t, key);
    d->u.far.alike = *bucket;
    *bucket = (uint32_t)((ww_wide *)(void *)d - t->wides) + 1;
}

void ww_phone_unlink(ww_tables *t, const ww_device *d)
{
    size_t len = 0;
    const uint8_t *key = d->wide && t->phones ? ww_device_phone(t, d, &len) : NULL;
    if (!len)
        return;
    uint32_t *link = bucket_of(t, key);
    while (*link && &t->wides[*link - 1].line != d)
        link = &t->wides[*link - 1].line.u.far.alike;
    if (*link)
        *link = d->u.far.alike;
}

void ww_phones_rebuild(ww_tables *t)
{
    memset(t->phones, 0, ((size_t)t->phones_mask + 1) * sizeof *t->phones);
    for (uint32_t i = 0; i < t->wides_used; i++)
        ww_phone_link(t, &t->wides[i].line);
}

int ww_phone_shared(const ww_tables *t, const ww_device *d)
{
    size_t len, other_len;
    const uint8_t *key = ww_device_phone(t, d, &len);
    for (uint32_t at = len && t->phones ? *bucket_of(t, key) : 0; at;) {
        const ww_device *other = &t->wides[at - 1].line;
        if (other != d && !memcmp(ww_device_phone(t, other, &other_len), key, WW_PHONE_BYTES))
            return 1;
        at = other->u.far.alike;
    }
    return 0;
}

int ww_phone_pin_fits(const ww_tables *t, const uint8_t key[WW_PHONE_BYTES], const uint8_t *pin,
                      size_t pin_len)
{
    uint32_t differs = 0;
    for (uint32_t at = t->phones ? *bucket_of(t, key) : 0; at;) {
        const ww_device *d = &t->wides[at - 1].line;
        size_t len, own_len;
        const uint8_t *phone = ww_device_phone(t, d, &len);
        const uint8_t *own = ww_device_pin(t, d, &own_len);
        if (!memcmp(phone, key, WW_PHONE_BYTES))
            differs |= own_len != pin_len ? 1u : 1u ^ ww_equal(own, pin, pin_len);
        at = d->u.far.alike;
    }
    WW_PUBLIC(&differs, sizeof differs); /* what is told, and nothing of where */
    return !differs;
}
