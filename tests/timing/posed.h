/* Questions that are posed, and whole HMACs, with every secret marked: keys, PIN digests, what we
 * answer until it is given out, and what is typed. For secrets.c.
 *
 * Public are the questions, as they are signed for all to see, suites, counts and ids. Each row
 * must get its verdict.
 */
#ifndef POSED_H
#define POSED_H

#include "world.h"

enum { POSED_KEY = 20, POSED_PIN = 20, POSED_WHOLE = 40 };

typedef struct { const char *name, *suite, *question, *client; uint8_t digits, pin; } posed_row;

static const posed_row posed_rows[] = {
    {"sign", "OCRA-1:HOTP-SHA1-8:QA08", "SIG11000", "", 8, 0},
    {"ask", "OCRA-1:HOTP-SHA1-8:QA08", "", "CLI22220", 8, 0},
    {"both", "OCRA-1:HOTP-SHA1-8:QA08-PSHA1", "SRV11110", "CLI22220", 8, POSED_PIN},
    {"whole", "OCRA-1:HOTP-SHA1-0:QN08", "", "", 0, 0},
    {"answer", "OCRA-1:HOTP-SHA1-0:QA08-PSHA1", "", "CLI22220", 0, POSED_PIN},
};
enum { POSED_ROWS = sizeof posed_rows / sizeof posed_rows[0] };

static uint8_t posed_key[POSED_KEY], posed_pin[POSED_PIN];

/* What the device makes of its question. */
static size_t posed_typed(const posed_row *row, const uint8_t *question, size_t len, uint8_t *typed)
{
    uint8_t text[WW_SUITE_BYTES_MAX + 1 + 128 + POSED_PIN] = {0}, mac[64];
    ww_suite s;
    size_t at = strlen(row->suite);
    ww_suite_read((const uint8_t *)row->suite, at, &s);
    memcpy(text, row->suite, at++);
    (void)ww_question_pack(&s, question, len, text + at);
    at += 128;
    memcpy(text + at, posed_pin, row->pin);
    ww_hmac(WW_SHA1, posed_key, POSED_KEY, text, at + row->pin, mac);
    if (row->digits) {
        code_text(ww_reduce(ww_truncate(mac, 20), row->digits), row->digits, typed);
        return row->digits;
    }
    ww_hex(mac, 20, typed);
    return POSED_WHOLE;
}

static int posed_verdict(world *w, const char *name, const ww_ask *ask, const uint8_t *typed,
                         size_t len, uint8_t verdict, int64_t now_ms)
{
    world_clear(w);
    ww_attempt *a = world_attempt(w, name, typed, len);
    a->second_len = a->challenge_len = ask->id_len;
    a->second_at = world_keep(w, ask->id, ask->id_len);
    ww_turn(&w->t, &w->p, &w->b, now_ms);
#ifdef WATCHWORD_CHECK_SECRETS
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(a, sizeof *a);
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
    WW_PUBLIC(a, sizeof *a);
#endif
    if (a->verdict == verdict)
        return 0;
    printf("posed to %s: verdict %d, reason %d\n", name, a->verdict, a->reason);
    return 1;
}

static int posed_are_right(int64_t now_ms)
{
    static world w;
    int wrong = 0;
    world_open(&w, 64);
    for (size_t i = 0; i < POSED_KEY; i++) {
        posed_key[i] = (uint8_t)(13 * i + 5);
        posed_pin[i] = (uint8_t)(17 * i + 3);
    }
    WW_SECRET(posed_key, sizeof posed_key);
    WW_SECRET(posed_pin, sizeof posed_pin);
    WW_SECRET(w.t.ask_key, sizeof w.t.ask_key);
    WW_SECRET(w.t.token_key, sizeof w.t.token_key);
    for (size_t i = 0; i <= POSED_ROWS; i++) { /* the last round asks of nobody */
        const posed_row *row = &posed_rows[i < POSED_ROWS ? i : 2];
        const char *name = i < POSED_ROWS ? row->name : "nobody";
        ww_ask ask = {.name = (const uint8_t *)name, .name_len = strlen(name),
                      .question = (const uint8_t *)row->question,
                      .client = (const uint8_t *)row->client,
                      .question_len = (uint8_t)strlen(row->question),
                      .client_len = (uint8_t)strlen(row->client)};
        if (i < POSED_ROWS) {
            ww_spec spec = {.kind = WW_KIND_OCRA, .digits = row->digits, .pin_len = row->pin,
                            .suite_len = (uint8_t)strlen(row->suite)};
            memcpy(spec.suite, row->suite, spec.suite_len);
            memcpy(spec.pin, posed_pin, row->pin);
            world_device(&w, world_user(&w, name, WW_OPEN), spec, posed_key, POSED_KEY);
        }
        if (ask.question_len + ask.client_len)
            ask.purpose = ww_posed(&w.t, (const uint8_t *)"", 0, ask.question, ask.question_len,
                                   ask.client, ask.client_len);
        wrong |= ww_challenge(&w.t, &w.p, &ask, now_ms) != 0;
        wrong |= (ask.answer_len != 0) != (ask.client_len != 0);
        uint8_t both[WW_POSED_CHARS_MAX], typed[POSED_WHOLE];
        memcpy(both, ask.prompt, ask.prompt_len);
        memcpy(both + ask.prompt_len, row->client, ask.client_len);
        size_t len = posed_typed(row, both, ask.prompt_len + (size_t)ask.client_len, typed);
        typed[len - 1] ^= 1;
        wrong |= posed_verdict(&w, name, &ask, typed, len, WW_REJECTED, now_ms);
        typed[len - 1] ^= 1;
        uint8_t due = i < POSED_ROWS ? WW_ACCEPTED : WW_REJECTED;
        wrong |= posed_verdict(&w, name, &ask, typed, len, due, now_ms);
    }
    return wrong;
}

#endif
