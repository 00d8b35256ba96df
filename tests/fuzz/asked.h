/* Devices that are asked, or sent to, for the turn target: how they are enrolled, what they answer,
 * and which of their challenges were accepted.
 */
#ifndef WATCHWORD_ASKED_H
#define WATCHWORD_ASKED_H

#include "world.h"

/* The first counts and is near its end, the second has all there is but a counter, the third answers
 * with the whole HMAC. */
static inline ww_spec asked_spec(uint32_t which, uint8_t number)
{
    static const char suite[] = "OCRA-1:HOTP-SHA256-6:QA13-PSHA1-S008-T30S";
    static const char whole[] = "OCRA-1:HOTP-SHA1-0:QH08";
    ww_spec spec = world_spec(WW_KIND_OCRA, WW_SHA1, 0, number);
    spec.back = spec.forward = 0;
    if (!which)
        return spec;
    if (which == 2) {
        spec.digits = spec.look_ahead = spec.label = 0;
        spec.suite_len = sizeof whole - 1;
        memcpy(spec.suite, whole, sizeof whole - 1);
        return spec;
    }
    spec.hash = WW_SHA256;
    spec.digits = 6;
    spec.back = spec.forward = 1;
    spec.look_ahead = 0;
    spec.label = 0;
    spec.suite_len = sizeof suite - 1;
    memcpy(spec.suite, suite, sizeof suite - 1);
    spec.pin_len = 20;
    memset(spec.pin, 0x77, spec.pin_len);
    return spec;
}

/* What was shown last: the id, and the question in it where one was posed. */
typedef struct {
    uint16_t len, posed_len;
    uint8_t id[WW_TOKEN_CHARS_MAX], posed[WW_POSED_CHARS_MAX];
} asked_shown;

/* What such a device shows for the challenge that stands on a platform, or for what was posed,
 * without a session; `off` counters or steps from now. Returns its length, 0 when none stands. */
static inline uint32_t asked_answer(const ww_tables *t, ww_device *d, uint32_t platform,
                                    const asked_shown *shown, int64_t off, int64_t now_ms,
                                    uint8_t *to)
{
    const ww_issue *issue = ww_device_issue(d);
    const ww_suite *s = &t->suites[issue->suite];
    uint8_t text[WW_TEXT_BYTES_MAX] = {0}, question[WW_QUESTION_CHARS_MAX], mac[64];
    if (!issue->open[platform].stands)
        return 0;
    ww_question(t->ask_key, s, d->number, issue->open[platform].stands - 1, question);
    size_t at = s->text_len + 1u, len;
    memcpy(text, s->text, s->text_len);
    if (s->counter_at) {
        ww_store_be64(text + at, d->moving + (uint64_t)off);
        at += 8;
    }
    if (shown->posed_len)
        (void)ww_question_pack(s, shown->posed, shown->posed_len, text + at);
    else
        (void)ww_question_pack(s, question, s->chars, text + at);
    at += 128;
    const uint8_t *pin = ww_device_pin(t, d, &len);
    memcpy(text + at, pin, len);
    at += len + s->session_bytes;
    if (s->step_s) {
        ww_store_be64(text + at, (uint64_t)(now_ms / 1000 / s->step_s + off));
        at += 8;
    }
    const uint8_t *key = ww_device_key(t, d, &len);
    ww_hmac((ww_hash)s->hash, key, len, text, at, mac);
    if (!s->digits) {
        ww_hex(mac, ww_hash_bytes((ww_hash)s->hash), to);
        return 2 * (uint32_t)ww_hash_bytes((ww_hash)s->hash);
    }
    uint32_t code = ww_reduce(ww_truncate(mac, ww_hash_bytes((ww_hash)s->hash)), s->digits);
    for (uint32_t i = s->digits; i-- > 0; code /= 10)
        to[i] = (uint8_t)('0' + code % 10);
    return s->digits;
}

/* What stands in the two cells that a card is asked for, or in others beside them. */
static inline uint32_t card_answer(const ww_tables *t, ww_device *d, uint32_t platform, int64_t off,
                                   uint8_t *to)
{
    static uint8_t cells[WW_CARD_CELLS][WW_CELL_CHARS];
    size_t len;
    if (!ww_device_open(t, d, platform).stands)
        return 0;
    const uint8_t *key = ww_device_key(t, d, &len), *pair = ww_card_asked(d, platform);
    ww_card_cells(key, len, cells);
    memcpy(to, cells[pair[0] - 1], WW_CELL_CHARS);
    memcpy(to + WW_CELL_CHARS, cells[(pair[1] - 1 + (off > 0 ? 1 : 0)) % WW_CARD_CELLS],
           WW_CELL_CHARS);
    return 2 * WW_CELL_CHARS;
}

enum { ASKED_NUMBERS = 16, ASKED_COUNTS = 64 };

/* Which challenges stood before a turn, by the device's number and the platform. */
typedef struct { ww_open open[ASKED_NUMBERS][WW_PLATFORMS]; } asked_before;

static uint8_t spent[ASKED_NUMBERS][ASKED_COUNTS];

static inline void asked_look(asked_before *b, const ww_tables *t, uint32_t users)
{
    for (uint32_t slot = 0; slot < users; slot++)
        for (ww_device *d = ww_device_first(t, &t->users[slot]); d;
             d = ww_device_next(t, &t->users[slot], d))
            for (uint32_t at = 0; ww_has_issue(d) && at < WW_PLATFORMS; at++)
                b->open[d->number][at] = ww_device_open(t, d, at);
}

/* One was accepted: it stood before the turn, for ten minutes at most unless it is a card's, and was
 * never accepted. */
static inline void asked_spend(const asked_before *b, const ww_attempt *a, int64_t now_ms)
{
    uint32_t number = a->device;
    HOLDS(number < ASKED_NUMBERS);
    const ww_open *open = &b->open[number][a->platform];
    uint32_t stands = open->stands;
    HOLDS(stands > 0 && stands <= ASKED_COUNTS);
    HOLDS(a->kind != WW_KIND_OCRA || now_ms / WW_EPOCH_MS <= open->epoch + 1ll);
    HOLDS(a->label != WW_SMS || now_ms / 1000 < open->epoch);
    HOLDS(!spent[number][stands - 1]);
    spent[number][stands - 1] = 1;
}

#endif
