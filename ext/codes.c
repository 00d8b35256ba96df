/* Codes that we make and give out: temporary passcodes, which are static, and codes that are sent
 * to a phone, each a counter of HOTP under a key that nobody else has.
 *
 * Rule: as in match.c. That a passcode is tried, the length of what was typed, what was sent and
 * when, are public; a passcode, its digest and a code are not. A name that does not exist is sent
 * to as plausibly as any, within the same limit.
 */
#include "match.h"

#include <string.h>

int ww_is_sms(const ww_device *d) { return d->kind == WW_KIND_PASSCODE && d->label == WW_SMS; }

const ww_passcode *ww_passcode_of(const ww_device *d)
{
    return (const ww_passcode *)(const void *)&((const ww_wide *)(const void *)d)->mid;
}

uint32_t ww_second(const ww_tables *t, int64_t now_ms)
{
    int64_t second = (now_ms > t->latest_ms ? now_ms : t->latest_ms) / 1000;
    return second < 0 ? 0 : second < UINT32_MAX ? (uint32_t)second : UINT32_MAX;
}

uint32_t ww_second_over(const ww_tables *t, int64_t now_ms)
{
    return ww_second(t, (now_ms > t->latest_ms ? now_ms : t->latest_ms) + 999);
}

/* ---- temporary passcodes ---- */

void ww_passcode_key(ww_tables *t, const uint8_t *key, size_t len)
{
    ww_hmac_mid(WW_SHA256, key, len, t->passcode_mid);
}

static void words_out(const uint32_t words[8], uint8_t bytes[32])
{
    for (size_t i = 0; i < 8; i++)
        ww_store_be32(bytes + 4 * i, words[i]);
}

/* HMAC-SHA256 of salt and text: one block, and one for the outer hash. */
static void passcode_digest(const ww_tables *t, const uint8_t salt[16],
                            const uint8_t text[WW_PASSCODE_CHARS], uint8_t digest[32])
{
    enum { TEXT_BYTES = 16 + WW_PASSCODE_CHARS };
    uint8_t block[64] = {0}, inner[64] = {0};
    uint32_t words[8];
    memcpy(block, salt, 16);
    memcpy(block + 16, text, WW_PASSCODE_CHARS);
    block[TEXT_BYTES] = 0x80;
    ww_store_be64(block + 56, 8 * (64 + TEXT_BYTES));
    memcpy(words, t->passcode_mid, sizeof words);
    ww_sha256_block(words, block);
    words_out(words, inner);
    inner[32] = 0x80;
    ww_store_be64(inner + 56, 8 * (64 + 32));
    memcpy(words, t->passcode_mid + 8, sizeof words);
    ww_sha256_block(words, inner);
    words_out(words, digest);
    ww_wipe(block, sizeof block);
    ww_wipe(inner, sizeof inner);
    ww_wipe(words, sizeof words);
}

void ww_match_passcodes(const ww_tables *t, const ww_batch *b, uint32_t group, ww_scratch *s,
                        uint32_t tries)
{
    uint8_t text[WW_PASSCODE_CHARS], digest[32];
    for (uint32_t n = 0; n < tries; n++) {
        const ww_device *d = s->source[n];
        if (d->kind != WW_KIND_PASSCODE || ww_is_sms(d))
            continue;
        const ww_attempt *a = &b->attempts[group + s->owner[n]];
        const ww_passcode *kept = ww_passcode_of(d);
        uint32_t fits = a->response_len == WW_PASSCODE_CHARS;
        memset(text, 0, sizeof text); /* of any other length: the same work, and never right */
        memcpy(text, b->bytes + a->response_at, fits ? sizeof text : 0);
        passcode_digest(t, kept->salt, text, digest);
        ww_mask_set(&s->tries[n].mask, 0, ww_equal(digest, kept->digest, sizeof digest) & fits);
        s->laid[n] = 1;
    }
    ww_wipe(text, sizeof text);
    ww_wipe(digest, sizeof digest);
}

/* ---- windows ---- */

void ww_lay_code(ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d, const ww_device *source,
                 const ww_attempt *a, int overdue)
{
    ww_try *y = &s->tries[*n];
    memset(y, 0, sizeof *y);
    s->answers[*n] = (ww_answer){.steps = 1, .platform = a->platform,
                                 .overdue = (uint8_t)overdue};
    y->device = d;
    ww_look_behind(source);
    y->base = ww_get(&source->moving);
    y->count = 1;
    s->source[*n] = source;
    s->owner[*n] = (uint8_t)i;
    ww_is_laid(s, source);
    ++*n;
}

int ww_lay_given(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                 const ww_attempt *a, int64_t now_ms)
{
    if (a->event != WW_EVENT_ATTEMPT)
        return 0;
    if (ww_is_sms(d)) {
        const ww_open *open = &ww_device_issue(d)->open[a->platform & 1u];
        if (open->purpose || !ww_code_current(d, open, ww_second(t, now_ms)))
            return 0;
    } else {
        s->passed_over[i] |= WW_LIMITED;
    }
    ww_lay_code(s, i, n, d, d, a, 0);
    return 1;
}

/* ---- codes that are sent ---- */

int ww_code_current(const ww_device *d, const ww_open *o, uint32_t now_s)
{
    return o->stands && o->stands - 1 == d->moving && now_s < o->epoch;
}

/* Of the times of codes that were sent: how many count. */
static uint32_t sent_lately(const uint32_t sent_s[WW_SENT_MAX], uint32_t now_s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < WW_SENT_MAX; i++)
        count += sent_s[i] && now_s < (uint64_t)sent_s[i] + WW_SENT_SECONDS;
    return count;
}

static void sent_push(uint32_t sent_s[WW_SENT_MAX], uint32_t now_s)
{
    memmove(sent_s + 1, sent_s, (WW_SENT_MAX - 1) * sizeof *sent_s);
    sent_s[0] = now_s ? now_s : 1;
}

/* What was sent before is void, whatever its platform. */
void ww_code_sent(ww_device *d, uint32_t platform, const ww_asked_for *tail)
{
    ww_issue *issue = ww_device_issue(d);
    uint64_t count = issue->open[platform].stands - 1u;
    issue->open[1 - platform].stands = 0;
    if (count > d->moving)
        ww_put(&d->moving, count);
    sent_push(issue->sent_s, tail->sent_s);
}

static uint32_t code_of(ww_hash hash, const uint8_t *key, size_t key_len, uint64_t counter,
                        uint32_t digits)
{
    uint8_t text[8], mac[64];
    ww_store_be64(text, counter);
    ww_hmac(hash, key, key_len, text, sizeof text, mac);
    uint32_t code = ww_reduce(ww_truncate(mac, ww_hash_bytes(hash)), digits);
    ww_wipe(mac, sizeof mac);
    return code;
}

int ww_ask_code(ww_tables *t, const ww_policy *p, ww_ask *a, ww_user *u, ww_device *d,
                uint64_t hash, int64_t now_ms, ww_open *open)
{
    uint32_t now_s = ww_second(t, now_ms), lately = 0, count;
    ww_sent *plausible = d ? NULL : ww_decoy_sent(t, hash);
    if (d) {
        for (ww_device *o = ww_device_first(t, u); o; o = ww_device_next(t, u, o))
            lately += ww_is_sms(o) ? sent_lately(ww_device_issue(o)->sent_s, now_s) : 0;
    } else {
        lately = sent_lately(plausible->sent_s, now_s);
    }
    if (lately >= p->sms_per_hour)
        return -1;
    if (d) {
        size_t len;
        const uint8_t *key = ww_device_key(t, d, &len);
        count = ww_device_issue(d)->issued;
        count = count > d->moving ? count : (uint32_t)d->moving;
        a->cold = d->cold;
        a->code = code_of((ww_hash)d->hash, key, len, count, d->digits);
    } else { /* nobody's: as long to make, and never told */
        count = plausible->issued++;
        sent_push(plausible->sent_s, ww_second_over(t, now_ms));
        a->code = code_of(WW_SHA1, t->token_key, sizeof t->token_key, count, WW_DIGITS_MIN);
    }
    a->kind = WW_KIND_PASSCODE;
    a->label = WW_SMS;
    *open = (ww_open){a->purpose, count + 1,
                      now_s < UINT32_MAX - p->sms_seconds ? now_s + p->sms_seconds : UINT32_MAX};
    return 0;
}
