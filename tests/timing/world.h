/* Tables with users in them, for C programs that run whole turns without Python.
 *
 * Everything comes in the way it does in life: by records through ww_apply. The memory is malloc's,
 * so that valgrind and the sanitizers know where each table ends.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

enum { WORLD_BYTES = 1 << 16, WORLD_ATTEMPTS = 256, WORLD_SUITES = 8 };

typedef struct {
    ww_tables t;
    ww_policy p;
    ww_batch b;
    uint8_t bytes[WORLD_BYTES]; /* of the batch */
    uint32_t bytes_used;
    uint64_t ids;
} world;

static inline void *room(size_t count, size_t size)
{
    void *at = aligned_alloc(64, (count * size + 63) & ~(size_t)63);
    if (!at)
        exit(3);
    memset(at, 0, count * size);
    return at;
}

static inline void world_open(world *w, uint32_t users)
{
    memset(w, 0, sizeof *w);
    uint32_t entries = 1024;
    while (entries < 2 * users)
        entries *= 2;
    w->t.users_cap = (users + WW_PAGE_USERS - 1) / WW_PAGE_USERS * WW_PAGE_USERS;
    w->t.users = room(w->t.users_cap, sizeof(ww_user));
    w->t.wides_cap = 2 * users;
    w->t.wides = room(w->t.wides_cap, sizeof(ww_wide));
    w->t.index = room(entries, sizeof(uint64_t));
    w->t.index_mask = entries - 1;
    w->t.cold_cap = 512 * (uint64_t)users;
    w->t.cold = room(w->t.cold_cap, 1);
    w->t.cold_used = 8;
    w->t.decoys = room(WW_DECOYS / WW_DECOY_WAYS, sizeof(ww_decoys));
    w->t.decoy_names = room(WW_DECOYS, sizeof(uint64_t));
    w->t.decoy_streaks = room(WW_DECOYS, sizeof(ww_streak));
    w->t.sources = room(WW_SOURCES, sizeof(ww_source));
    w->t.dirty = room(w->t.users_cap / WW_PAGE_USERS, 1);
    w->t.device_next = 1;
    w->t.name_key[0] = 0x0706050403020100u;
    w->t.name_key[1] = 0x0f0e0d0c0b0a0908u;
    w->t.suites = room(WORLD_SUITES, sizeof(ww_suite));
    w->t.suites_cap = WORLD_SUITES;
    memset(w->t.ask_key, 0x5a, sizeof w->t.ask_key);
    memset(w->t.token_key, 0xa5, sizeof w->t.token_key);
    w->p = (ww_policy){.lockout_failures = 10, .lockout_window_ms = 86400000, .lockout_extend = 1};
    w->b.attempts = room(WORLD_ATTEMPTS, sizeof(ww_attempt));
    w->b.records = room(WORLD_ATTEMPTS * WW_RECORD_UNITS_PER_ATTEMPT_MAX, WW_RECORD_BYTES);
    w->b.bytes = w->bytes;
}

static inline void world_apply(world *w, const ww_record *r)
{
    if (ww_apply(&w->t, r, 0, NULL, NULL)) {
        fputs("a record did not apply\n", stderr);
        exit(3);
    }
}

/* Returns the slot. state: account state. */
static inline uint32_t world_user(world *w, const char *name, uint8_t state)
{
    ww_record r[4] = {{.event = WW_EVENT_USER_ADD, .place = state, .user = w->ids, .tail = 3}};
    r[0].lock_ms = (uint32_t)strlen(name);
    memcpy(r + 1, name, strlen(name));
    world_apply(w, r);
    return (uint32_t)w->ids++;
}

/* Key and PIN digest may be marked secret: they are only copied. Its serial is "S" and the device's
 * number. */
static inline uint32_t world_device(world *w, uint32_t slot, ww_spec spec, const uint8_t *key,
                                    size_t key_len)
{
    ww_record r[12] = {{.event = WW_EVENT_DEVICE_ADD, .user = w->t.users[slot].id, .tail = 11}};
    uint8_t *tail = (uint8_t *)(r + 1);
    r[0].device = w->t.device_next;
    spec.state = WW_ACTIVE;
    spec.key_len = (uint8_t)key_len;
    spec.serial_len = (uint8_t)snprintf((char *)spec.serial, sizeof spec.serial, "S%u", r[0].device);
    memcpy(tail, &spec, WW_SPEC_HEAD_BYTES);
    memcpy(tail + WW_SPEC_HEAD_BYTES, key, key_len);
    tail += WW_SPEC_HEAD_BYTES + key_len;
    memcpy(tail, spec.serial, spec.serial_len);
    memcpy(tail + spec.serial_len, spec.suite, spec.suite_len);
    memcpy(tail + spec.serial_len + spec.suite_len, spec.pin, spec.pin_len);
    world_apply(w, r);
    return r[0].device;
}

static inline uint32_t world_keep(world *w, const void *text, size_t len)
{
    uint32_t at = w->bytes_used;
    memcpy(w->bytes + at, text, len);
    w->bytes_used += (uint32_t)len;
    return at;
}

static inline void world_clear(world *w)
{
    w->b.count = w->b.units = w->bytes_used = 0;
}

static inline ww_attempt *world_attempt(world *w, const char *name, const void *response, size_t len)
{
    ww_attempt *a = &w->b.attempts[w->b.count++];
    memset(a, 0, sizeof *a);
    a->event = WW_EVENT_ATTEMPT;
    a->name_len = (uint16_t)strlen(name);
    a->name_at = world_keep(w, name, a->name_len);
    a->response_len = (uint16_t)len;
    a->response_at = world_keep(w, response, len);
    return a;
}

/* A turn; what it says and what it records must hang on nothing that is marked. */
static inline void world_turn(world *w, int64_t now_ms)
{
    ww_turn(&w->t, &w->p, &w->b, now_ms);
#ifdef WATCHWORD_CHECK_SECRETS
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.attempts, w->b.count * sizeof *w->b.attempts);
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
    WW_PUBLIC(w->b.attempts, w->b.count * sizeof *w->b.attempts);
#endif
}

/* A code as it is typed, from a number whose value may be secret. */
static inline void code_text(uint32_t code, uint32_t digits, uint8_t *text)
{
    for (uint32_t at = digits; at-- > 0; code /= 10)
        text[at] = (uint8_t)('0' + code % 10);
}

/* What an OCRA device shows for a question as it was asked (RFC 6287 5.1). */
#ifdef WATCHWORD_CHECK_SECRETS
/* A wide device but for its midstates, which stand in its line or behind its issue. */
static inline void expect_public(const ww_wide *w)
{
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(&w->line, offsetof(ww_device, u));
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(&w->issue, sizeof w->issue);
}
#endif

static inline uint32_t answer_of(const ww_suite *s, const uint8_t *key, size_t key_len,
                                 const uint8_t *prompt, uint64_t counter, const uint8_t *pin,
                                 const uint8_t *session, uint64_t step)
{
    uint8_t text[WW_TEXT_BYTES_MAX] = {0}, mac[64];
    size_t at = s->text_len + 1u;
    memcpy(text, s->text, s->text_len);
    if (s->counter_at) {
        ww_store_be64(text + at, counter);
        at += 8;
    }
    (void)ww_question_pack(s, prompt, s->chars, text + at);
    at += 128;
    memcpy(text + at, pin, s->pin_bytes);
    at += s->pin_bytes;
    memcpy(text + at, session, s->session_bytes);
    at += s->session_bytes;
    if (s->step_s) {
        ww_store_be64(text + at, step);
        at += 8;
    }
    ww_hmac((ww_hash)s->hash, key, key_len, text, at, mac);
    return ww_reduce(ww_truncate(mac, ww_hash_bytes((ww_hash)s->hash)), s->digits);
}

static inline uint32_t code_of(ww_hash hash, const uint8_t *key, size_t key_len, uint64_t moving,
                               uint32_t digits)
{
    uint8_t text[8], mac[64];
    ww_store_be64(text, moving);
    ww_hmac(hash, key, key_len, text, sizeof text, mac);
    return ww_reduce(ww_truncate(mac, ww_hash_bytes(hash)), digits);
}

#endif
