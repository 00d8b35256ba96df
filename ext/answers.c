/* Answers to challenges: which challenge of which device a response is held against, and the
 * messages laid into lanes.
 *
 * Rule: as in match.c. Whose challenge stands, its question, and the sizes of its suite are public;
 * keys, PIN digests and what matches are not.
 */
#include "match.h"

#include <string.h>

static const ww_issue *issue_of(const ww_device *d)
{
    return &((const ww_wide *)(const void *)d)->issue;
}

/* ---- windows ---- */

void ww_lay_answer(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                   const ww_device *source, const ww_attempt *a, int overdue, int64_t now_ms)
{
    ww_try *y = &s->tries[*n];
    ww_answer *w = &s->answers[*n];
    const ww_issue *issue = issue_of(source);
    const ww_suite *suite = &t->suites[issue->suite];
    memset(y, 0, sizeof *y);
    *w = (ww_answer){.suite = suite, .steps = 1, .platform = a->platform,
                     .overdue = (uint8_t)overdue};
    y->device = d;
    uint64_t counters = 1;
    if (suite->counter_at) {
        uint64_t moving = ww_get(&source->moving), ahead = UINT64_MAX - moving;
        counters = 1 + (source->window < ahead ? source->window : ahead);
        y->base = moving;
    }
    if (suite->step_s) {
        int64_t step_ms = suite->step_s * INT64_C(1000);
        int64_t back = issue->steps >> 4, forward = issue->steps & 15;
        w->step_now = now_ms >= 0 ? now_ms / step_ms : -((step_ms - 1 - now_ms) / step_ms);
        int64_t from = w->step_now - back + ww_get(&source->drift), count = back + forward + 1;
        if (from < 0) { /* there is no step before 1970 */
            count = count + from > 0 ? count + from : 0;
            from = 0;
        }
        w->first = (uint64_t)from;
        w->steps = (uint32_t)count;
    }
    y->count = (uint32_t)counters * w->steps;
    if (source->hash != WW_SHA1)
        ww_look_behind(source);
    s->passed_over[i] |= ww_pin_typed(t, a, source) ? WW_PINNED : 0;
    s->source[*n] = source;
    s->owner[*n] = (uint8_t)i;
    ww_is_laid(s, source);
    ++*n;
}

int ww_lay_open(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                const ww_attempt *a, int64_t now_ms)
{
    if (a->event != WW_EVENT_ATTEMPT)
        return 0;
    if (d->kind == WW_KIND_CARD) {
        if (!ww_card_open(d, a->platform & 1u))
            return 0;
        ww_lay_card(s, i, n, d, d, a);
        return 1;
    }
    const ww_open *open = &issue_of(d)->open[a->platform & 1u];
    if (open->purpose || !ww_open_current(open, ww_epoch(t, now_ms)))
        return 0;
    ww_lay_answer(t, s, i, n, d, d, a, 0, now_ms);
    return 1;
}

void ww_lay_named(const ww_tables *t, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                  uint32_t i, uint32_t *n, int64_t now_ms)
{
    if (a->event == WW_EVENT_ANSWER) {
        ww_lay_question(t, b, a, s, i, n);
        return;
    }
    if (a->slot != WW_SLOT_NONE && ww_password_of(t, &t->users[a->slot]))
        s->passed_over[i] |= WW_GUARDED;
    if (a->challenge_len == WW_PUSH_ID_CHARS) {
        ww_lay_push(t, b, a, s, i, n, now_ms);
        return;
    }
    ww_token token;
    uint8_t posed[WW_POSED_CHARS_MAX];
    int sealed = !ww_token_open(t, b->bytes + a->second_at, a->challenge_len, &token, posed);
    if (a->slot == WW_SLOT_NONE)
        return;
    s->inactive[i] = WW_REASON_NO_CHALLENGE;
    if (!sealed || token.name_hash != a->name_hash || token.platform != a->platform)
        return;
    ww_device *d = token.device ? ww_device_find(t, &t->users[a->slot], token.device) : NULL;
    if (!d || !ww_has_issue(d) || (d->state != WW_ACTIVE && !ww_answers_still(d, a->event)))
        return;
    size_t len;
    const uint8_t *serial = ww_cold_second(t, d->cold, &len);
    if (a->has_serial && (len != a->serial_len || memcmp(serial, b->bytes + a->serial_at, len)))
        return;
    ww_open open = ww_device_open(t, d, a->platform & 1u);
    if (open.stands != token.count + 1 || open.epoch != token.epoch ||
        open.purpose != token.purpose)
        return; /* answered, or another has taken its place */
    if (ww_is_sms(d)) {
        int overdue = ww_second(t, now_ms) >= open.epoch;
        if (token.count != d->moving)
            return; /* one key enrolled twice: used up there */
        s->inactive[i] = 0;
        ww_lay_code(s, i, n, d, d, a, overdue);
        return;
    }
    s->inactive[i] = 0;
    if (d->kind == WW_KIND_CARD) {
        ww_lay_card(s, i, n, d, d, a);
        return;
    }
    ww_lay_answer(t, s, i, n, d, d, a, !ww_open_current(&open, ww_epoch(t, now_ms)), now_ms);
    if (token.posed_len)
        s->answers[*n - 1].posed = (uint8_t)ww_question_pack(
            s->answers[*n - 1].suite, posed, token.posed_len, s->posed[i]);
}

/* ---- messages ---- */

static void put_question(const ww_tables *t, const ww_try *y, const ww_answer *w,
                         const uint8_t *posed, uint64_t *words)
{
    const ww_suite *s = w->suite;
    if (!y->device)
        return;
    if (w->posed) {
        ww_text_put(s, words, s->question_at, posed, w->posed);
        return;
    }
    const ww_issue *issue = issue_of(y->device);
    uint32_t place = w->platform & 1u;
    if (ww_question_kept(s)) {
        ww_text_put(s, words, s->question_at, issue->question[place], WW_QUESTION_INLINE_BYTES);
        return;
    }
    uint8_t text[WW_QUESTION_CHARS_MAX], packed[WW_QUESTION_CHARS_MAX];
    ww_question(t->ask_key, s, y->device->number, issue->open[place].stands - 1, text);
    ww_text_put(s, words, s->question_at, packed, ww_question_pack(s, text, s->chars, packed));
}

/* All but what a position changes. */
static void lay_message(const ww_tables *t, const ww_batch *b, const ww_attempt *a, const ww_try *y,
                        const ww_answer *w, const ww_device *source, const uint8_t *posed,
                        uint64_t *words)
{
    const ww_suite *s = w->suite;
    memcpy(words, s->words, (size_t)s->blocks * (s->hash == WW_SHA512 ? 128 : 64));
    put_question(t, y, w, posed, words);
    if (s->pin_at) {
        size_t len;
        const uint8_t *pin = ww_device_pin(t, source, &len);
        ww_text_put(s, words, s->pin_at, pin, len);
    }
    size_t session = (size_t)a->second_len - a->challenge_len;
    if (s->session_at && session <= s->session_bytes)
        ww_text_put(s, words, s->session_at + s->session_bytes - session,
                    b->bytes + a->second_at + a->challenge_len, session);
}

static void put_position(const ww_suite *s, const ww_try *y, const ww_answer *w, uint32_t j,
                         uint64_t *words)
{
    uint8_t number[8];
    if (s->counter_at) {
        ww_store_be64(number, y->base + j / w->steps);
        ww_text_put(s, words, s->counter_at, number, sizeof number);
    }
    if (s->time_at) {
        ww_store_be64(number, w->first + j % w->steps);
        ww_text_put(s, words, s->time_at, number, sizeof number);
    }
}

void ww_lay_message(const ww_tables *t, const ww_batch *b, uint32_t group, const ww_scratch *s,
                    uint32_t n, uint32_t j, uint64_t *words)
{
    uint32_t who = s->owner[n];
    lay_message(t, b, &b->attempts[group + who], &s->tries[n], &s->answers[n], s->source[n],
                s->posed[who], words);
    put_position(s->answers[n].suite, &s->tries[n], &s->answers[n], j, words);
}

/* ---- lanes ---- */

static void run_texts(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                      ww_scratch *s, const ww_suite *like, uint32_t lanes)
{
    const void *texts[WW_TEXTS_CHUNK] = {NULL};
    size_t bytes = (size_t)like->blocks * (like->hash == WW_SHA512 ? 128 : 64);
    for (uint32_t lane = 0; lane < lanes; lane++)
        texts[lane] = s->texts + lane * (bytes / 8);
    k->text[like->hash](s->mids, texts, like->blocks, s->out, lanes);
    ww_lanes_ran(s, k->lanes[like->hash], lanes, 1);
    if (s->lanes_used < lanes)
        s->lanes_used = lanes;
    if (s->texts_used < lanes * bytes)
        s->texts_used = lanes * bytes;
    for (uint32_t lane = 0; lane < lanes; lane++) {
        ww_try *y = &s->tries[s->text_try[lane]];
        const ww_suite *suite = s->answers[s->text_try[lane]].suite;
        uint32_t who = s->owner[s->text_try[lane]];
        const ww_attempt *a = &b->attempts[group + who];
        uint32_t code = ww_reduce(s->out[lane], suite->digits);
        uint32_t value = s->value[0][who], digits = s->digits[0][who];
        const ww_device *source = s->source[s->text_try[lane]];
        if (ww_pin_typed(t, a, source))
            ww_pin_code(b, a, source, &value, &digits);
        uint32_t fits = ww_eq_u32(digits, suite->digits);
        fits &= ww_session_fits(a, suite);
        ww_mask_set(&y->mask, s->text_bit[lane], ww_eq_u32(code, value) & fits);
    }
}

void ww_match_answers(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                      ww_scratch *s, uint32_t tries)
{
    for (uint32_t first = 0; first < tries; first++) {
        if (s->source[first]->kind != WW_KIND_OCRA || s->laid[first])
            continue;
        const ww_suite *like = s->answers[first].suite; /* lanes of one call: hash and length */
        size_t words = (size_t)like->blocks * (like->hash == WW_SHA512 ? 16 : 8);
        uint32_t lanes = 0;
        for (uint32_t n = first; n < tries; n++) {
            const ww_device *source = s->source[n];
            if (source->kind != WW_KIND_OCRA || s->laid[n])
                continue;
            const ww_answer *w = &s->answers[n];
            if (w->suite->hash != like->hash || w->suite->blocks != like->blocks)
                continue;
            s->laid[n] = 1;
            const ww_attempt *a = &b->attempts[group + s->owner[n]];
            for (uint32_t j = 0; j < s->tries[n].count; j++) {
                if (lanes == WW_TEXTS_CHUNK) {
                    run_texts(t, k, b, group, s, like, lanes);
                    lanes = 0;
                }
                uint64_t *to = s->texts + lanes * words;
                if (j && lanes)
                    memcpy(to, to - words, words * 8);
                else
                    lay_message(t, b, a, &s->tries[n], w, source, s->posed[s->owner[n]], to);
                put_position(w->suite, &s->tries[n], w, j, to);
                s->mids[lanes] = ww_device_mid(source);
                s->text_try[lanes] = (uint16_t)n;
                s->text_bit[lanes++] = (uint8_t)j;
            }
        }
        if (lanes)
            run_texts(t, k, b, group, s, like, lanes);
    }
}
