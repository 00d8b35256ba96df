/* Challenges asked and answered with every secret marked: keys, PIN digests, session texts and what
 * is typed, and the engine's own keys of questions and of ids. For secrets.c.
 *
 * Public are suites, sizes, counts, purposes, the questions and the ids: they are given out. Each
 * row below must also get its verdict, one by one and as one batch.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "world.h"

enum { ASKED_KEY = 20, SESSION = 64, LONG_AGO_MS = 3 * WW_EPOCH_MS };

/* Without an id, with the one that was given, or with that one and a digit changed. */
typedef enum { NO_ID, ID, FORGED_ID } named_by;

typedef struct {
    const char *name;
    int64_t ago_ms;              /* when it was asked                                             */
    uint8_t asks;                /* this row asks; else the challenge of an earlier one is used   */
    uint8_t purpose, by;         /* by: a named_by                                                */
    uint8_t off;                 /* added to the answer                                           */
    uint8_t verdict, reason;
} answered;

static const char *const suites[] = {
    "OCRA-1:HOTP-SHA1-6:QN06",                       /* gold */
    "OCRA-1:HOTP-SHA256-8:QN06-PSHA256",             /* pia: a PIN */
    "OCRA-1:HOTP-SHA512-10:C-QA32-PSHA1-S064-T1M",   /* quin: all there is, in several blocks */
};
static const struct { const char *name; uint8_t suite; } asked_users[] = {
    {"gold", 0}, {"late", 0}, {"open", 0}, {"forge", 0}, {"step", 0}, {"pia", 1}, {"quin", 2},
};
enum { ASKED_USERS = sizeof asked_users / sizeof asked_users[0] };

static const answered answers[] = {
    {"gold", 0, 1, 0, ID, 1, WW_REJECTED, WW_REASON_WRONG},
    {"gold", 0, 0, 0, ID, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"gold", 0, 0, 0, ID, 0, WW_REJECTED, WW_REASON_NO_CHALLENGE},
    {"late", LONG_AGO_MS, 1, 0, ID, 1, WW_REJECTED, WW_REASON_WRONG},
    {"late", LONG_AGO_MS, 0, 0, ID, 0, WW_EXPIRED, WW_REASON_OVERDUE},
    {"open", 0, 1, 0, NO_ID, 2, WW_REJECTED, WW_REASON_WRONG},
    {"open", 0, 0, 0, NO_ID, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"forge", 0, 1, 0, FORGED_ID, 0, WW_REJECTED, WW_REASON_NO_CHALLENGE},
    {"forge", 0, 0, 0, ID, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"step", 0, 1, 1, NO_ID, 0, WW_REJECTED, WW_REASON_NO_CHALLENGE},
    {"step", 0, 0, 1, ID, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"pia", 0, 1, 0, NO_ID, 3, WW_REJECTED, WW_REASON_WRONG},
    {"pia", 0, 0, 0, ID, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"quin", 0, 1, 0, ID, 1, WW_REJECTED, WW_REASON_WRONG},
    {"quin", 0, 0, 0, NO_ID, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"nobody", 0, 1, 0, ID, 0, WW_REJECTED, WW_REASON_UNKNOWN_USER},
};
enum { ANSWERS = sizeof answers / sizeof answers[0] };

static uint8_t asked_key[ASKED_KEY], pin_digest[64], session_text[SESSION];

static void asked_fill(world *w)
{
    world_open(w, 64);
    for (size_t i = 0; i < sizeof pin_digest; i++) {
        asked_key[i % ASKED_KEY] = (uint8_t)(5 * i + 3);
        pin_digest[i] = (uint8_t)(7 * i + 1);
        session_text[i] = (uint8_t)(11 * i + 9);
    }
    WW_SECRET(asked_key, sizeof asked_key);
    WW_SECRET(pin_digest, sizeof pin_digest);
    WW_SECRET(session_text, sizeof session_text);
    WW_SECRET(w->t.ask_key, sizeof w->t.ask_key);
    WW_SECRET(w->t.token_key, sizeof w->t.token_key);
    for (size_t i = 0; i < ASKED_USERS; i++) {
        const char *text = suites[asked_users[i].suite];
        ww_suite s;
        ww_suite_read((const uint8_t *)text, strlen(text), &s);
        ww_spec spec = {.kind = WW_KIND_OCRA, .hash = s.hash, .digits = s.digits,
                        .suite_len = s.text_len, .pin_len = s.pin_bytes,
                        .look_ahead = s.counter_at ? 10 : 0, .back = s.step_s ? 1 : 0,
                        .forward = s.step_s ? 1 : 0, .drift_max = s.step_s ? 2 : 0};
        memcpy(spec.suite, text, s.text_len);
        memcpy(spec.pin, pin_digest, s.pin_bytes);
        world_device(w, world_user(w, asked_users[i].name, WW_OPEN), spec, asked_key, ASKED_KEY);
    }
}

/* What was asked last, of whom, and what is typed for it. */
typedef struct { ww_ask ask; uint8_t typed[2][16]; uint32_t digits; } exchange;

static exchange exchanges[ANSWERS];

static void ask_of(world *w, size_t i, int64_t now_ms)
{
    static const uint8_t text[] = "close the account";
    const answered *row = &answers[i];
    exchange *x = &exchanges[i];
    *x = (exchange){.ask = {.name = (const uint8_t *)row->name, .name_len = strlen(row->name),
                            .purpose = row->purpose ? ww_purpose(&w->t, text, sizeof text) : 0}};
    ww_challenge(&w->t, &w->p, &x->ask, now_ms - row->ago_ms);
    ww_suite s;
    const char *suite = suites[0];
    for (size_t u = 0; u < ASKED_USERS; u++)
        if (!strcmp(asked_users[u].name, row->name))
            suite = suites[asked_users[u].suite];
    ww_suite_read((const uint8_t *)suite, strlen(suite), &s);
    x->digits = s.digits;
    uint32_t code = answer_of(&s, asked_key, ASKED_KEY, x->ask.prompt, 4, pin_digest, session_text,
                              (uint64_t)(now_ms / 60000));
    code_text(ww_reduce(code, s.digits), s.digits, x->typed[0]);
    memcpy(x->typed[1], x->typed[0], sizeof x->typed[0]);
}

static void lay_answered(world *w, size_t i)
{
    const answered *row = &answers[i];
    exchange *x = &exchanges[i];
    uint8_t id[WW_TOKEN_CHARS];
    memcpy(x->typed[1], x->typed[0], sizeof x->typed[0]);
    x->typed[1][x->digits - 1] ^= row->off; /* another digit, or none at all */
    memcpy(id, x->ask.id, sizeof id);
    if (row->by == FORGED_ID)
        id[WW_TOKEN_CHARS - 1] = id[WW_TOKEN_CHARS - 1] == '0' ? '1' : '0';
    ww_attempt *a = world_attempt(w, row->name, x->typed[1], x->digits);
    a->challenge_len = row->by == NO_ID ? 0 : WW_TOKEN_CHARS;
    a->second_at = world_keep(w, id, a->challenge_len);
    world_keep(w, session_text, SESSION);
    a->second_len = (uint16_t)(a->challenge_len + SESSION);
}

/* Rows from .. to as one turn, what they ask before it. */
static int answers_are_right(world *w, size_t from, size_t to, int64_t now_ms)
{
    int wrong = 0;
    world_clear(w);
    for (size_t i = from; i < to; i++) {
        if (answers[i].asks)
            ask_of(w, i, now_ms);
        else
            exchanges[i] = exchanges[i - 1];
        lay_answered(w, i);
    }
    ww_turn(&w->t, &w->p, &w->b, now_ms);
#ifdef WATCHWORD_CHECK_SECRETS
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.attempts, w->b.count * sizeof *w->b.attempts);
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
    for (uint32_t i = 0; i < w->t.wides_used; i++) {
        expect_public(&w->t.wides[i]);
    }
    WW_PUBLIC(w->b.attempts, w->b.count * sizeof *w->b.attempts);
#endif
    for (size_t i = from; i < to; i++) {
        const ww_attempt *a = &w->b.attempts[i - from];
        if (a->verdict == answers[i].verdict && a->reason == answers[i].reason)
            continue;
        wrong = 1;
        printf("answer %zu, %s: verdict %d, reason %d\n", i, answers[i].name, a->verdict, a->reason);
    }
    return wrong;
}

/* Devices of one suite, more than a vector of any row takes: lanes with a word of their own. */
static int suite_is_right(int64_t now_ms)
{
    enum { CROWD = 40 };
    static world w;
    ww_suite s;
    uint8_t typed[CROWD][16];
    int bad = 0;
    world_open(&w, CROWD);
    WW_SECRET(w.t.ask_key, sizeof w.t.ask_key);
    ww_suite_read((const uint8_t *)suites[0], strlen(suites[0]), &s);
    for (int user = 0; user < CROWD; user++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", user);
        ww_spec spec = {.kind = WW_KIND_OCRA, .hash = s.hash, .digits = s.digits,
                        .suite_len = s.text_len};
        memcpy(spec.suite, s.text, s.text_len);
        world_device(&w, world_user(&w, name, WW_OPEN), spec, asked_key, ASKED_KEY);
        ww_ask ask = {.name = (const uint8_t *)name, .name_len = strlen(name)};
        ww_challenge(&w.t, &w.p, &ask, now_ms);
        uint32_t code = answer_of(&s, asked_key, ASKED_KEY, ask.prompt, 0, pin_digest,
                                  session_text, 0);
        code_text(ww_reduce(code + (user % 3 == 0), s.digits), s.digits, typed[user]);
    }
    for (int user = 0; user < CROWD; user++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", user);
        world_attempt(&w, name, typed[user], s.digits);
    }
    ww_turn(&w.t, &w.p, &w.b, now_ms);
    for (int user = 0; user < CROWD; user++)
        bad |= w.b.attempts[user].verdict != (user % 3 ? WW_ACCEPTED : WW_REJECTED);
    if (bad)
        puts("the devices of one suite were judged wrongly");
    return bad;
}

static int challenges_are_right(int64_t now_ms)
{
    static world one, many;
    int wrong = 0;
    asked_fill(&one);
    asked_fill(&many);
    for (size_t i = 0; i < ANSWERS; i++)
        wrong |= answers_are_right(&one, i, i + 1, now_ms);
    return wrong | answers_are_right(&many, 0, ANSWERS, now_ms) | suite_is_right(now_ms);
}

#endif
