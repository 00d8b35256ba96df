/* Suites without digits: the response is the whole HMAC, in lower-case hex (RFC 6287 5.2, t = 0).
 *
 * The kernel's lanes truncate, so these few go one by one. Rule: as in match.c; a digest is made
 * hex and compared without a branch or an index that depends on it.
 */
#include "match.h"

#include <string.h>

static void whole(const ww_tables *t, const ww_device *source, const ww_suite *suite,
                  const uint64_t *words, uint8_t text[2 * 64])
{
    uint8_t bytes[WW_TEXT_BYTES_MAX], mac[64];
    size_t block = suite->hash == WW_SHA512 ? 128 : 64, flip = suite->hash == WW_SHA512 ? 7 : 3;
    size_t padded = suite->blocks * block, key_len;
    for (size_t i = 0; i < padded; i++)
        bytes[i] = ((const uint8_t *)words)[i ^ flip];
    size_t len = (size_t)ww_load_be64(bytes + padded - 8) / 8 - block; /* as it was padded */
    const uint8_t *key = ww_device_key(t, source, &key_len);
    ww_hmac((ww_hash)suite->hash, key, key_len, bytes, len, mac);
    ww_hex(mac, ww_hash_bytes((ww_hash)suite->hash), text);
    ww_wipe(bytes, sizeof bytes);
    ww_wipe(mac, sizeof mac);
}

void ww_match_whole(const ww_tables *t, const ww_batch *b, uint32_t group, ww_scratch *s,
                    uint32_t tries)
{
    uint64_t words[WW_TEXT_BYTES_MAX / 8];
    uint8_t typed[2 * 64], right[2 * 64];
    for (uint32_t n = 0; n < tries; n++) {
        const ww_suite *suite = s->answers[n].suite;
        if (s->source[n]->kind != WW_KIND_OCRA || suite->digits)
            continue;
        const ww_attempt *a = &b->attempts[group + s->owner[n]];
        size_t len = 2 * ww_hash_bytes((ww_hash)suite->hash);
        size_t before = ww_pin_typed(t, a, s->source[n]) ? a->pin_len : 0; /* given apart */
        int long_enough = a->response_len == before + len;
        uint32_t fits = (uint32_t)long_enough & ww_session_fits(a, suite);
        memset(typed, 0, sizeof typed); /* of any other length: the same work, and never right */
        memcpy(typed, b->bytes + a->response_at + (long_enough ? before : 0),
               long_enough ? len : 0);
        for (uint32_t j = 0; j < s->tries[n].count; j++) {
            ww_lay_message(t, b, group, s, n, j, words);
            whole(t, s->source[n], suite, words, right);
            ww_mask_set(&s->tries[n].mask, j, ww_equal(typed, right, len) & fits);
        }
        s->laid[n] = 1;
    }
    ww_wipe(words, sizeof words);
    ww_wipe(typed, sizeof typed);
    ww_wipe(right, sizeof right);
}
