/* Phones and pushes with every secret marked: the phone's key and PIN, and the engine's own keys. For
 * secrets.c.
 *
 * Public are a phone's public key, an id to whoever sends it, and what a phone decided. Each row below
 * must also get its verdict, one by one and as one batch; and a PIN that is another's must be told.
 */
#ifndef PUSHES_H
#define PUSHES_H

#include "world.h"

enum { PUSH_KEY = 32, PUSH_PIN = 32, PUSH_USERS = 24 };

static const struct { uint8_t state, verdict, reason; } push_rows[] = {
    {WW_PUSH_PENDING, WW_CHALLENGE, WW_REASON_PENDING},
    {WW_PUSH_DENIED, WW_REJECTED, WW_REASON_DENIED},
    {WW_PUSH_APPROVED, WW_ACCEPTED, WW_REASON_NONE},
    {WW_PUSH_MISMATCHED, WW_REJECTED, WW_REASON_MISMATCHED},
};
enum { PUSH_ROWS = sizeof push_rows / sizeof push_rows[0] };

static uint8_t push_key[PUSH_KEY], push_pin[PUSH_PIN];
static ww_pushes push_table;
static uint32_t push_phones[64];

static ww_spec push_spec(void)
{
    static const char suite[] = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256";
    ww_spec spec = {.kind = WW_KIND_OCRA, .hash = WW_SHA256, .digits = 8, .label = WW_IB_KEY,
                    .suite_len = sizeof suite - 1, .pin_len = PUSH_PIN + WW_PHONE_BYTES};
    memcpy(spec.suite, suite, sizeof suite - 1);
    memcpy(spec.pin, push_pin, PUSH_PIN);
    memset(spec.pin + PUSH_PIN, 3, WW_PHONE_BYTES);
    return spec;
}

static int pushes_of(world *w, uint32_t users, int64_t now_ms)
{
    static char names[PUSH_USERS][8];
    int wrong = 0;
    world_open(w, 64);
    memset(&push_table, 0, sizeof push_table);
    memset(push_phones, 0, sizeof push_phones);
    push_table.cap = WW_PUSHES_MAX;
    w->t.pushes = &push_table;
    w->t.phones = push_phones;
    w->t.phones_mask = 63;
    w->p.push_ms = 60000;
    w->p.push_window_ms = 600000;
    w->p.push_per_window = PUSH_ROWS;
    for (uint32_t i = 0; i < users; i++) {
        snprintf(names[i], sizeof names[i], "push%u", i);
        world_device(w, world_user(w, names[i], WW_OPEN), push_spec(), push_key, PUSH_KEY);
    }
    int fits = ww_phone_pin_fits(&w->t, push_spec().pin + PUSH_PIN, push_pin, PUSH_PIN);
    uint8_t other[PUSH_PIN];
    memcpy(other, push_pin, PUSH_PIN);
    other[PUSH_PIN - 1] ^= 1;
    int differs = !ww_phone_pin_fits(&w->t, push_spec().pin + PUSH_PIN, other, PUSH_PIN);
    wrong |= !fits || !differs;
    for (size_t row = 0; row < PUSH_ROWS; row++) {
        world_clear(w);
        for (uint32_t i = 0; i < users; i++) {
            static const char hex[] = "0123456789abcdef";
            uint8_t text[WW_PUSH_ID_CHARS];
            ww_push_ask ask = {.name = (const uint8_t *)names[i], .name_len = strlen(names[i]),
                               .number = 42};
            memset(ask.id, (int)(1 + i + row * PUSH_USERS), sizeof ask.id);
            if (ww_push_open(&w->t, &w->p, &ask, now_ms) != WW_PUSH_OPENED)
                return 1;
            ww_push_find(&w->t, ask.id)->state = push_rows[row].state;
            for (size_t k = 0; k < sizeof text; k++)
                text[k] = (uint8_t)hex[ask.id[k / 2] >> (k % 2 ? 0 : 4) & 15];
            ww_attempt *a = world_attempt(w, names[i], "", 0);
            a->second_at = world_keep(w, text, sizeof text);
            a->challenge_len = WW_PUSH_ID_CHARS;
            a->second_len = WW_PUSH_ID_CHARS;
        }
        ww_turn(&w->t, &w->p, &w->b, now_ms);
#ifdef WATCHWORD_CHECK_SECRETS
        (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.attempts, w->b.count * sizeof *w->b.attempts);
        (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
#endif
        for (uint32_t i = 0; i < users; i++) {
            const ww_attempt *a = &w->b.attempts[i];
            if (a->verdict == push_rows[row].verdict && a->reason == push_rows[row].reason)
                continue;
            printf("push row %zu: verdict %d, reason %d\n", row, a->verdict, a->reason);
            wrong = 1;
        }
    }
    return wrong;
}

static int pushes_are_right(int64_t now_ms)
{
    static world one, many;
    for (size_t i = 0; i < PUSH_KEY; i++) {
        push_key[i] = (uint8_t)(7 * i + 3);
        push_pin[i] = (uint8_t)(5 * i + 1);
    }
    WW_SECRET(push_key, PUSH_KEY);
    WW_SECRET(push_pin, PUSH_PIN);
    return pushes_of(&one, 1, now_ms) | pushes_of(&many, PUSH_USERS, now_ms);
}

#endif
