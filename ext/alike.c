/* Answers to challenges of one suite, where only a word or two of their messages differ: those are
 * laid straight into lanes, and the rest is made once for all.
 *
 * A turn's answers are mostly of a few suites. Rule: as in match.c. What is not of this shape, or
 * comes alone, is left to answers.c, and gives the same masks there.
 */
#include "match.h"

enum { ALIKE_LEAST = 8 }; /* lanes: fewer cost less than the schedules they would share */

static int is_alike(const ww_scratch *s, uint32_t n)
{
    return s->source[n]->kind == WW_KIND_OCRA && !s->laid[n] && s->answers[n].suite->own_words &&
           !s->answers[n].posed && !s->source[n]->prefix;
}

static void run_alike(const ww_kernel *k, ww_scratch *s, const ww_suite *suite, uint32_t lanes)
{
    uint32_t hit[WW_TEXTS_CHUNK];
    k->ocra(s->mids, s->own[0], WW_TEXTS_CHUNK, suite->own_at, &s->common, s->out, lanes);
    ww_lanes_ran(s, k->lanes[WW_SHA1], lanes, 1);
    if (s->lanes_used < lanes)
        s->lanes_used = lanes;
    ww_match_many(s->out, s->want, s->misfit, suite->digits, hit, lanes);
    for (uint32_t lane = 0; lane < lanes; lane++)
        ww_mask_set(&s->tries[s->text_try[lane]].mask, s->text_bit[lane], hit[lane]);
    ww_wipe(hit, sizeof hit);
}

static void match_suite(const ww_kernel *k, ww_scratch *s, uint32_t first, uint32_t tries)
{
    const ww_suite *suite = s->answers[first].suite;
    uint32_t lanes = 0;
    if (s->common_of != suite)
        ww_suite_common(suite, &s->common, s->own[0], WW_TEXTS_CHUNK);
    s->common_of = suite;
    for (uint32_t n = first; n < tries; n++) {
        if (!is_alike(s, n) || s->answers[n].suite != suite)
            continue;
        const ww_try *y = &s->tries[n];
        const ww_device *d = y->device;
        const uint8_t *question = NULL;
        if (d)
            question = ((const ww_wide *)(const void *)d)->issue
                           .question[s->answers[n].platform & 1u];
        uint32_t who = s->owner[n];
        for (uint32_t j = 0, end; j < y->count;) {
            if (lanes == WW_TEXTS_CHUNK) {
                run_alike(k, s, suite, lanes);
                lanes = 0;
            }
            end = lanes + (y->count - j);
            end = end < WW_TEXTS_CHUNK ? end : WW_TEXTS_CHUNK;
            uint32_t *own = &s->own[0][lanes];
            ww_suite_own(suite, y->base + j, question, own, WW_TEXTS_CHUNK);
            if (end - lanes > 1)
                ww_suite_further(suite, y->base + j, own, WW_TEXTS_CHUNK, end - lanes);
            do {
                s->mids[lanes] = ww_device_mid(s->source[n]);
                s->want[lanes] = s->value[0][who];
                s->misfit[lanes] = s->digits[0][who] ^ suite->digits;
                s->text_try[lanes] = (uint16_t)n;
                s->text_bit[lanes] = (uint8_t)j++;
            } while (++lanes < end);
        }
        s->laid[n] = 1;
    }
    if (lanes)
        run_alike(k, s, suite, lanes);
}

void ww_match_alike(const ww_kernel *k, ww_scratch *s, uint32_t tries)
{
    const ww_suite *few = NULL; /* one that was counted, and left */
    for (uint32_t first = 0; first < tries; first++) {
        if (!is_alike(s, first) || s->answers[first].suite == few)
            continue;
        uint32_t lanes = 0;
        for (uint32_t n = first; n < tries && lanes < ALIKE_LEAST; n++)
            if (is_alike(s, n) && s->answers[n].suite == s->answers[first].suite)
                lanes += s->tries[n].count;
        if (lanes >= ALIKE_LEAST)
            match_suite(k, s, first, tries);
        else
            few = s->answers[first].suite;
    }
}
