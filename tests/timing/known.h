/* PINs and security answers with every secret marked: the key they are kept under, salts, digests,
 * the texts, the devices' keys, and what is typed. For secrets.c.
 *
 * Public are lengths, that a device has a PIN, which question stands, and, of a code that was right,
 * whether its PIN was. Each row must get its verdict and reason.
 */
#ifndef KNOWN_H
#define KNOWN_H

#include "world.h"

enum { KNOWN_KEY = 32, KNOWN_DIGITS = 6, KNOWN_PIN = 4, KNOWN_ANSWER = 70 };

static uint8_t known_key[KNOWN_KEY], known_pin[KNOWN_PIN], known_answer[KNOWN_ANSWER];

/* What is kept of a text: its salt, and the HMAC of both. */
static void known_kept(const uint8_t *text, size_t len, uint8_t kept[WW_KEPT_BYTES])
{
    uint8_t salted[16 + KNOWN_ANSWER];
    for (size_t i = 0; i < 16; i++)
        kept[i] = (uint8_t)(9 * i + len);
    WW_SECRET(kept, 16);
    memcpy(salted, kept, 16);
    memcpy(salted + 16, text, len);
    ww_hmac(WW_SHA256, known_key, sizeof known_key, salted, 16 + len, kept + 16);
}

static int known_verdict(world *w, ww_attempt *a, uint8_t verdict, uint8_t reason, int64_t now_ms)
{
    ww_turn(&w->t, &w->p, &w->b, now_ms);
#ifdef WATCHWORD_CHECK_SECRETS
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(a, sizeof *a);
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
    WW_PUBLIC(a, sizeof *a);
#endif
    if (a->verdict == verdict && a->reason == reason)
        return 0;
    printf("known: verdict %d, reason %d, not %d, %d\n", a->verdict, a->reason, verdict, reason);
    return 1;
}

/* off: what is added to the PIN's last character, and to the code. apart: the PIN was given so. */
static int known_pinned(world *w, const char *name, uint32_t code, uint32_t digits, uint8_t pin_off,
                        uint32_t code_off, int apart, uint8_t verdict, uint8_t reason,
                        int64_t now_ms)
{
    uint8_t typed[KNOWN_PIN + 16];
    memcpy(typed, known_pin, KNOWN_PIN);
    typed[KNOWN_PIN - 1] ^= pin_off;
    code_text(ww_reduce(code + code_off, digits), digits, typed + KNOWN_PIN);
    world_clear(w);
    ww_attempt *a = world_attempt(w, name, typed, KNOWN_PIN + digits);
    a->pin_len = apart ? KNOWN_PIN : 0;
    return known_verdict(w, a, verdict, reason, now_ms);
}

static int known_codes(world *w, int64_t now_ms)
{
    static const struct { uint32_t moving, code_off; uint8_t pin_off, verdict, reason; } rows[] = {
        {0, 0, 0, WW_ACCEPTED, WW_REASON_NONE}, {1, 0, 1, WW_REJECTED, WW_REASON_PIN},
        {2, 1, 0, WW_REJECTED, WW_REASON_WRONG}, {2, 1, 1, WW_REJECTED, WW_REASON_WRONG},
        {2, 0, 0, WW_ACCEPTED, WW_REASON_NONE},
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int nobody = 0; nobody < 2; nobody++) {
            uint32_t code = code_of(WW_SHA1, known_key, 20, rows[i].moving, KNOWN_DIGITS);
            wrong |= known_pinned(w, nobody ? "nobody" : "pinned", code, KNOWN_DIGITS,
                                  rows[i].pin_off, rows[i].code_off, i & 1,
                                  nobody ? WW_REJECTED : rows[i].verdict,
                                  nobody ? WW_REASON_UNKNOWN_USER : rows[i].reason, now_ms);
        }
    return wrong;
}

/* A PIN that OCRA signs, given apart as well. */
static int known_element(world *w, const ww_suite *s, const uint8_t *digest, int64_t now_ms)
{
    static const uint8_t none[WW_SESSION_BYTES_MAX];
    int wrong = 0;
    for (uint8_t off = 0; off < 2; off++) {
        ww_ask ask = {.name = (const uint8_t *)"signed", .name_len = 6};
        wrong |= ww_challenge(&w->t, &w->p, &ask, now_ms) != 0;
        uint32_t code = answer_of(s, known_key, 20, ask.prompt, 0, digest, none, 0);
        wrong |= known_pinned(w, "signed", code, s->digits, off, 0, 1,
                              off ? WW_REJECTED : WW_ACCEPTED,
                              off ? WW_REASON_PIN : WW_REASON_NONE, now_ms);
    }
    return wrong;
}

static int known_answers(world *w, int64_t now_ms)
{
    int wrong = 0;
    for (int round = 0; round < 4; round++) {
        const char *name = round & 1 ? "nobody" : "asked";
        uint8_t typed[KNOWN_ANSWER];
        ww_quiz q = {.name = (const uint8_t *)name, .name_len = strlen(name)};
        ww_question_ask(&w->t, &q);
        memcpy(typed, known_answer, sizeof typed);
        typed[KNOWN_ANSWER - 1] ^= round < 2;
        world_clear(w);
        ww_attempt *a = world_attempt(w, name, typed, sizeof typed);
        a->event = WW_EVENT_ANSWER;
        a->challenge_len = WW_TOKEN_CHARS;
        a->second_len = WW_TOKEN_CHARS;
        a->second_at = world_keep(w, q.id, WW_TOKEN_CHARS);
        wrong |= known_verdict(w, a, round == 2 ? WW_ACCEPTED : WW_REJECTED,
                               round & 1 ? WW_REASON_UNKNOWN_USER
                               : round   ? WW_REASON_NONE : WW_REASON_WRONG, now_ms);
    }
    return wrong;
}

static int known_are_right(int64_t now_ms)
{
    static const char suite[] = "OCRA-1:HOTP-SHA1-6:QN06-PSHA256";
    static world w;
    uint8_t kept[64] = {0};
    ww_suite s;
    world_open(&w, 64);
    w.p.lockout_failures = 100;
    for (size_t i = 0; i < KNOWN_ANSWER; i++) {
        known_key[i % KNOWN_KEY] = (uint8_t)(13 * i + 3);
        known_pin[i % KNOWN_PIN] = (uint8_t)('0' + i % 7);
        known_answer[i] = (uint8_t)('a' + i % 26);
    }
    WW_SECRET(known_key, sizeof known_key);
    WW_SECRET(known_pin, sizeof known_pin);
    WW_SECRET(known_answer, sizeof known_answer);
    ww_kept_key(&w.t, known_key, sizeof known_key);
    ww_spec hotp = {.kind = WW_KIND_HOTP, .digits = KNOWN_DIGITS, .look_ahead = 10,
                    .pin_len = WW_KEPT_BYTES};
    known_kept(known_pin, sizeof known_pin, hotp.pin);
    world_device(&w, world_user(&w, "pinned", WW_OPEN), hotp, known_key, 20);
    ww_suite_read((const uint8_t *)suite, sizeof suite - 1, &s);
    ww_spec ocra = {.kind = WW_KIND_OCRA, .hash = s.hash, .digits = s.digits,
                    .suite_len = s.text_len, .pin_len = s.pin_bytes};
    memcpy(ocra.suite, suite, s.text_len);
    ww_hash_of(WW_SHA256, known_pin, sizeof known_pin, ocra.pin);
    world_device(&w, world_user(&w, "signed", WW_OPEN), ocra, known_key, 20);
    ww_spec question = {.kind = WW_KIND_QUESTION, .hash = WW_SHA256};
    known_kept(known_answer, sizeof known_answer, kept);
    world_device(&w, world_user(&w, "asked", WW_OPEN), question, kept, sizeof kept);
    return known_codes(&w, now_ms) | known_element(&w, &s, ocra.pin, now_ms) |
           known_answers(&w, now_ms);
}

#endif
