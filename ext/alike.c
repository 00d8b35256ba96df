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

static const uint8_t *question_of(const ww_scratch *s, uint32_t n)
{
    const ww_device *d = s->tries[n].device;
    return d ? ((const ww_wide *)(const void *)d)->issue.question[s->answers[n].platform & 1u]
             : NULL;
}

static void put_lane(ww_scratch *s, const ww_suite *suite, uint32_t n, uint32_t lane)
{
    uint32_t who = s->owner[n];
    s->mids[lane] = ww_device_mid(s->source[n]);
    s->want[lane] = s->value[0][who];
    s->misfit[lane] = s->digits[0][who] ^ suite->digits;
}

static void ran(const ww_kernel *k, ww_scratch *s, uint32_t lanes, uint32_t times)
{
    ww_lanes_ran(s, k->lanes[WW_SHA1], lanes, times);
    if (s->lanes_used < lanes * times)
        s->lanes_used = lanes * times;
}

/* ---- windows of as many counters ---- */

/* Runs the windows of WW_SIDE_BY_SIDE tries, whose keys are turned into lanes once. */
static void run_windows(const ww_kernel *k, ww_scratch *s, const ww_suite *suite,
                        const uint16_t *at, uint32_t steps)
{
    uint32_t hit[WW_SIDE_BY_SIDE], mask[WW_SIDE_BY_SIDE] = {0};
    for (uint32_t i = 0; i < WW_SIDE_BY_SIDE; i++) {
        put_lane(s, suite, at[i], i);
        ww_suite_own(suite, s->tries[at[i]].base, question_of(s, at[i]), &s->own[0][i],
                     WW_TEXTS_CHUNK);
    }
    k->ocra(s->mids, s->own[0], WW_TEXTS_CHUNK, suite->own_at, &s->common, steps, s->out,
            WW_SIDE_BY_SIDE);
    ran(k, s, WW_SIDE_BY_SIDE, steps);
    for (uint32_t j = 0; j < steps; j++) {
        ww_match_many(s->out + j * WW_SIDE_BY_SIDE, s->want, s->misfit, suite->digits, hit,
                      WW_SIDE_BY_SIDE);
        for (uint32_t i = 0; i < WW_SIDE_BY_SIDE; i++)
            mask[i] |= hit[i] << j;
    }
    for (uint32_t i = 0; i < WW_SIDE_BY_SIDE; i++) {
        s->tries[at[i]].mask.lo = mask[i];
        s->laid[at[i]] = 1;
    }
    ww_wipe(hit, sizeof hit);
    ww_wipe(mask, sizeof mask);
}

static void match_windows(const ww_kernel *k, ww_scratch *s, uint32_t first, uint32_t tries)
{
    const ww_suite *suite = s->answers[first].suite;
    uint32_t steps = s->tries[first].count, n = 0;
    uint16_t at[WW_SIDE_BY_SIDE];
    if (steps < 2 || steps > WW_COUNTERS_MAX)
        return;
    for (uint32_t i = first; i < tries; i++) {
        if (!is_alike(s, i) || s->answers[i].suite != suite || s->tries[i].count != steps)
            continue;
        at[n++] = (uint16_t)i;
        if (n == WW_SIDE_BY_SIDE)
            run_windows(k, s, suite, at, steps);
        n %= WW_SIDE_BY_SIDE;
    }
}

/* ---- lanes one after the other ---- */

static void run_alike(const ww_kernel *k, ww_scratch *s, const ww_suite *suite, uint32_t lanes)
{
    uint32_t hit[WW_TEXTS_CHUNK];
    k->ocra(s->mids, s->own[0], WW_TEXTS_CHUNK, suite->own_at, &s->common, 1, s->out, lanes);
    ran(k, s, lanes, 1);
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
    match_windows(k, s, first, tries);
    for (uint32_t n = first; n < tries; n++) {
        if (!is_alike(s, n) || s->answers[n].suite != suite)
            continue;
        const ww_try *y = &s->tries[n];
        for (uint32_t j = 0; j < y->count; j++) {
            if (lanes == WW_TEXTS_CHUNK) {
                run_alike(k, s, suite, lanes);
                lanes = 0;
            }
            ww_suite_own(suite, y->base + j, question_of(s, n), &s->own[0][lanes], WW_TEXTS_CHUNK);
            put_lane(s, suite, n, lanes);
            s->text_try[lanes] = (uint16_t)n;
            s->text_bit[lanes++] = (uint8_t)j;
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
