/* PINs: typed before a code and kept as a salted keyed hash, or given apart from it.
 *
 * Rule: as in match.c. That a device has a PIN, and the lengths of what was typed, are public; a
 * PIN and its digests are not. A wrong one spoils what matches, which decide then uses up and
 * refuses: how much of it was right steers nothing.
 */
#include "match.h"

#include <string.h>

void ww_kept_key(ww_tables *t, const uint8_t *key, size_t len)
{
    ww_hmac_mid(WW_SHA256, key, len, t->kept_mid);
}

uint32_t ww_kept_is(const ww_tables *t, const uint8_t kept[WW_KEPT_BYTES], const uint8_t *text,
                    size_t len)
{
    uint8_t salted[16 + WW_ANSWER_BYTES_MAX], mac[32];
    memcpy(salted, kept, 16);
    memcpy(salted + 16, text, len);
    ww_hmac_from(WW_SHA256, t->kept_mid, salted, 16 + len, mac);
    uint32_t same = ww_equal(mac, kept + 16, sizeof mac);
    ww_wipe(salted, sizeof salted);
    ww_wipe(mac, sizeof mac);
    return same;
}

/* How many characters of a response stand before the code. */
static size_t pin_chars(const ww_attempt *a, const ww_device *d, size_t typed)
{
    if (d->prefix)
        return typed > d->digits ? typed - d->digits : 0;
    return typed > a->pin_len ? a->pin_len : typed; /* for P: what was given apart */
}

void ww_pin_code(const ww_batch *b, const ww_attempt *a, const ww_device *d, uint32_t *value,
                 uint32_t *digits)
{
    size_t pin = pin_chars(a, d, a->response_len);
    ww_read_code(b->bytes + a->response_at + pin, a->response_len - pin, value, digits);
}

/* Whether the first characters of what was typed are the PIN. Of any length: the same work. */
static uint32_t prefix_is(const ww_tables *t, const ww_device *d, const uint8_t *typed, size_t len)
{
    uint8_t text[WW_PIN_CHARS_MAX] = {0};
    size_t kept_len;
    const uint8_t *kept = ww_device_pin(t, d, &kept_len);
    uint32_t fits = len <= sizeof text;
    memcpy(text, typed, fits ? len : 0);
    uint32_t same = ww_kept_is(t, kept, text, fits ? len : 0) & fits;
    ww_wipe(text, sizeof text);
    return same;
}

/* The same for OCRA's P: the digest that is kept is the one that is signed. */
static uint32_t element_is(const ww_tables *t, const ww_device *d, const uint8_t *typed, size_t len)
{
    const ww_suite *s = &t->suites[((const ww_wide *)(const void *)d)->issue.suite];
    uint8_t digest[WW_PIN_DIGEST_BYTES_MAX];
    size_t kept_len;
    const uint8_t *kept = ww_device_pin(t, d, &kept_len);
    ww_hash_of((ww_hash)s->pin_hash, typed, len, digest);
    uint32_t same = ww_equal(digest, kept, kept_len);
    ww_wipe(digest, sizeof digest);
    return same;
}

static uint32_t pin_is(const ww_tables *t, const ww_batch *b, const ww_attempt *a,
                       const ww_device *d)
{
    const uint8_t *typed = b->bytes + a->response_at;
    size_t len = pin_chars(a, d, a->response_len);
    if (!d->prefix)
        return element_is(t, d, typed, len);
    uint32_t same = prefix_is(t, d, typed, len);
    if (a->event == WW_EVENT_RESYNC)
        same &= prefix_is(t, d, b->bytes + a->second_at, pin_chars(a, d, a->second_len));
    return same;
}

/* ---- the codes of devices with a PIN before them: lanes as in match.c ---- */

static void match_codes(const ww_kernel *k, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                        uint32_t n)
{
    const ww_device *d = s->source[n];
    ww_try *y = &s->tries[n];
    const void *mid = ww_device_mid(d);
    uint32_t value, typed, second = 0, second_typed = 0;
    size_t before = pin_chars(a, d, a->second_len);
    ww_pin_code(b, a, d, &value, &typed);
    if (a->event == WW_EVENT_RESYNC)
        ww_read_code(b->bytes + a->second_at + before, a->second_len - before, &second,
                     &second_typed);
    for (uint32_t j = 0; j < y->count; j++) {
        s->mids[j] = mid;
        s->moving[j] = y->base + j;
    }
    k->hotp[d->hash](s->mids, s->moving, s->out, y->count);
    ww_lanes_ran(s, k->lanes[d->hash], y->count, 1);
    if (s->lanes_used < y->count)
        s->lanes_used = y->count;
    uint32_t fits = ww_eq_u32(typed, d->digits), fits2 = ww_eq_u32(second_typed, d->digits);
    for (uint32_t j = 0; j < y->count; j++) {
        uint32_t code = ww_reduce(s->out[j], d->digits);
        ww_mask_set(&y->mask, j, ww_eq_u32(code, value) & fits);
        ww_mask_set(&y->second, j, ww_eq_u32(code, second) & fits2);
    }
    s->laid[n] = 1;
}

void ww_match_pins(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                   ww_scratch *s, uint32_t tries)
{
    for (uint32_t n = 0; n < tries; n++) {
        const ww_device *d = s->source[n];
        const ww_attempt *a = &b->attempts[group + s->owner[n]];
        if (!ww_pin_typed(t, a, d))
            continue;
        s->tries[n].spoiled = pin_is(t, b, a, d) ^ 1u;
        if (d->kind < WW_KIND_OCRA)
            match_codes(k, b, a, s, n);
    }
}

/* ---- what a device has, and a new one ---- */

/* Whether a PIN is compared when this device is tried. */
int ww_pin_typed(const ww_tables *t, const ww_attempt *a, const ww_device *d)
{
    return d->prefix || (a->pin_len && d->kind == WW_KIND_OCRA && ww_has_pin(t, d));
}

int ww_has_pin(const ww_tables *t, const ww_device *d)
{
    size_t len;
    (void)ww_device_pin(t, d, &len);
    return len > 0;
}

int ww_apply_pin(ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_device *d = ww_device_find(t, u, r->device);
    size_t len, key_len;
    if (!d || d->kind >= WW_KIND_PASSWORD)
        return -1;
    (void)ww_device_pin(t, d, &len);
    if (!len || r->lock_ms != len || len > r->tail * (size_t)WW_RECORD_BYTES)
        return -1;
    (void)ww_device_key(t, d, &key_len);
    uint8_t *kept = t->cold + (uint64_t)d->cold * 8 + 2 + key_len;
    memcpy(kept, r + 1, len);
    return 0;
}
