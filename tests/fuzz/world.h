/* Tables for a fuzz target: as small as the core says it needs, behind fences, so that a row, a
 * page or a turn that takes more than it announced is one the sanitizer sees; and what must hold of
 * any tables at all. The memory is static and used again: an input costs no malloc.
 */
#ifndef WATCHWORD_WORLD_H
#define WATCHWORD_WORLD_H

#include "fuzz.h"
#include "internal.h"

enum {
    WORLD_USERS = 2 * WW_PAGE_USERS, WORLD_WIDES = 1024, WORLD_COLD = 1 << 17,
    WORLD_INDEX = 4 * WW_PAGE_USERS, WORLD_PAGE = 1 << 20, WORLD_SUITES = 8
};

/* One set of tables; a target holds two when it compares. */
typedef struct {
    ww_tables t;
    _Alignas(64) ww_user users[WORLD_USERS + 1];
    uint32_t deep[WORLD_USERS + 1][WW_RING_DEEP];
    _Alignas(64) ww_wide wides[WORLD_WIDES + 1];
    uint64_t index[WORLD_INDEX];
    _Alignas(64) uint8_t cold[WORLD_COLD + 64];
    uint8_t dirty[WORLD_USERS / WW_PAGE_USERS + 1];
    ww_suite suites[WORLD_SUITES];
} world;

static inline void world_shut(world *w)
{
    fence_shut(w->users, 0, sizeof w->users);
    fence_shut(w->deep, 0, sizeof w->deep);
    fence_shut(w->wides, 0, sizeof w->wides);
    fence_shut(w->cold, 0, sizeof w->cold);
}

/* Room for so many slots in all, and wides and cold bytes more, as the door's _room gives it.
 * 0: more than a world has. */
static inline int world_room(world *w, uint64_t users, uint64_t wides, uint64_t cold)
{
    ww_tables *t = &w->t;
    if (users > WORLD_USERS || t->wides_used + wides > WORLD_WIDES ||
        t->cold_used + cold > WORLD_COLD)
        return 0;
    if (users > t->users_cap) {
        fence_open(w->users, t->users_cap * sizeof *w->users, users * sizeof *w->users);
        memset(&w->users[t->users_cap], 0, (users - t->users_cap) * sizeof *w->users);
        if (t->deep) {
            fence_open(w->deep, t->users_cap * sizeof *w->deep, users * sizeof *w->deep);
            memset(w->deep[t->users_cap], 0, (users - t->users_cap) * sizeof *w->deep);
        }
        t->users_cap = (uint32_t)users;
    }
    uint64_t entries = t->index_mask + 1ull; /* none is in it while it grows: worlds begin empty */
    while (users * 4 > entries * 3)
        entries *= 2;
    if (entries > t->index_mask + 1ull) {
        static uint64_t old[WORLD_INDEX];
        uint32_t mask = t->index_mask;
        memcpy(old, w->index, (mask + 1ull) * sizeof *old);
        memset(w->index, 0, entries * sizeof *w->index);
        t->index_mask = (uint32_t)entries - 1;
        ww_index_move(old, mask, w->index, t->index_mask);
    }
    uint64_t wides_cap = t->wides_used + wides, cold_cap = t->cold_used + cold;
    fence_move(w->wides, t->wides_cap * sizeof *w->wides, wides_cap * sizeof *w->wides);
    fence_move(w->cold, t->cold_cap, cold_cap);
    t->wides_cap = (uint32_t)wides_cap;
    t->cold_cap = cold_cap;
    return 1;
}

/* Empty tables: everything shut that the last input opened. */
static inline void world_begin(world *w, int deep)
{
    ww_tables *t = &w->t;
    fence_shut(w->users, 0, t->users_cap * sizeof *w->users);
    fence_shut(w->wides, 0, t->wides_cap * sizeof *w->wides);
    fence_shut(w->cold, 0, t->cold_cap);
    fence_shut(w->deep, 0, t->users_cap * sizeof *w->deep);
    memset(w->index, 0, (t->index_mask + 1ull) * sizeof *w->index);
    memset(w->dirty, 0, sizeof w->dirty);
    *t = (ww_tables){.users = w->users, .deep = deep ? w->deep : NULL, .wides = w->wides,
                     .index = w->index, .index_mask = 15, .cold = w->cold, .cold_used = 8,
                     .dirty = w->dirty, .device_next = 1, .name_key = {1, 2}, .suites = w->suites,
                     .suites_cap = WORLD_SUITES, .ask_key = {3, 4}};
    (void)world_room(w, 1, 0, 0);
}

/* Applies one record of an act, room seen to. */
static inline void world_act(world *w, const ww_record *r)
{
    HOLDS(world_room(w, (uint32_t)r->user + 1ull, 1, 256));
    HOLDS(ww_apply(&w->t, r, 0, NULL, NULL) == 0);
}

static inline void world_add_user(world *w, uint32_t slot, const char *name, uint8_t place)
{
    ww_record r[5] = {{.event = WW_EVENT_USER_ADD, .tail = 4, .place = place, .user = slot}};
    r->lock_ms = (uint32_t)strlen(name);
    memcpy(r + 1, name, r->lock_ms);
    world_act(w, r);
}

static inline void world_add_device(world *w, uint32_t slot, const ww_spec *spec, uint64_t moving)
{
    ww_record r[10] = {{.event = WW_EVENT_DEVICE_ADD, .tail = 9, .user = slot, .moving = moving}};
    uint8_t *tail = (uint8_t *)(r + 1);
    r->device = w->t.device_next;
    memcpy(tail, spec, WW_SPEC_HEAD_BYTES);
    memcpy(tail + WW_SPEC_HEAD_BYTES, spec->key, spec->key_len);
    tail += WW_SPEC_HEAD_BYTES + spec->key_len;
    memcpy(tail, spec->serial, spec->serial_len);
    tail += spec->serial_len;
    memcpy(tail, spec->suite, spec->suite_len);
    memcpy(tail + spec->suite_len, spec->pin, spec->pin_len);
    if (spec->dated)
        memcpy(tail + spec->suite_len + spec->pin_len, &spec->dates, sizeof spec->dates);
    world_act(w, r);
}

/* When the turns of a world begin, the text of every temporary passcode, and every PIN and answer. */
#define WORLD_START_MS INT64_C(1700000010000)
#define WORLD_PASSCODE "ABCDEFGH23"
#define WORLD_PIN "4711"

/* A legal device, its key and serial made of one number. */
static inline ww_spec world_spec(ww_kind kind, ww_hash hash, int64_t t0_s, uint8_t number)
{
    ww_spec spec = {.kind = (uint8_t)kind, .hash = (uint8_t)hash, .digits = 6 + number % 3,
                    .state = WW_ACTIVE, .back = 1, .forward = 1, .look_ahead = 10,
                    .drift_max = number % 2 ? 10 : 0, .period_s = 30, .key_len = 20,
                    .serial_len = 3, .t0_s = t0_s};
    memset(spec.key, number + 1, spec.key_len);
    memcpy(spec.serial, "W00", 3);
    spec.serial[2] = (uint8_t)('0' + number);
    if (kind == WW_KIND_OCRA) { /* SHA-1 */
        static const char suite[] = "OCRA-1:HOTP-SHA1-8:C-QN08";
        spec.digits = 8;
        spec.period_s = 0;
        spec.label = WW_GOLD;
        spec.suite_len = sizeof suite - 1;
        memcpy(spec.suite, suite, sizeof suite - 1);
    }
    if (kind == WW_KIND_CARD) {
        spec.back = spec.forward = spec.drift_max = 0;
        spec.digits = 6;
        spec.period_s = 0;
        spec.look_ahead = number % 2;
        spec.label = WW_CODE_CARD;
    }
    if (kind == WW_KIND_PASSCODE) { /* sent; or by SHA-256 a temporary passcode, for two days and one */
        spec.back = spec.forward = spec.look_ahead = spec.drift_max = 0;
        spec.period_s = 0;
        spec.label = hash == WW_SHA256 ? WW_TEMPORARY_PASSCODE : WW_SMS;
        spec.digits = hash == WW_SHA256 ? WW_PASSCODE_CHARS : WW_DIGITS_MIN;
    }
    if (spec.label == WW_TEMPORARY_PASSCODE) {
        ww_passcode kept = {.full_until_ms = WORLD_START_MS + 172800000,
                            .until_ms = WORLD_START_MS + 259200000};
        uint8_t text[sizeof kept.salt + WW_PASSCODE_CHARS] = {0};
        memcpy(text + sizeof kept.salt, WORLD_PASSCODE, WW_PASSCODE_CHARS);
        ww_hmac(WW_SHA256, (const uint8_t *)"passcodes", 9, text, sizeof text, kept.digest);
        spec.key_len = sizeof kept;
        memcpy(spec.key, &kept, sizeof kept);
    }
    return spec;
}

/* What is kept of WORLD_PIN: no salt, and its HMAC. */
static inline void world_kept(uint8_t kept[WW_KEPT_BYTES])
{
    uint8_t text[16 + sizeof WORLD_PIN - 1] = {0};
    memcpy(text + 16, WORLD_PIN, sizeof WORLD_PIN - 1);
    memset(kept, 0, 16);
    ww_hmac(WW_SHA256, (const uint8_t *)"pins", 4, text, sizeof text, kept + 16);
}

/* What holds of any tables: counts within room, chains that end, names that are found. */
static inline void world_holds(const world *w)
{
    const ww_tables *t = &w->t;
    HOLDS(t->users_used <= t->users_cap && t->wides_used <= t->wides_cap);
    HOLDS(t->cold_used <= t->cold_cap);
    for (uint32_t slot = 0; slot < t->users_used; slot++) {
        ww_user *u = &t->users[slot];
        if (!u->name_len)
            continue;
        size_t len, text;
        uint32_t devices = 0;
        const uint8_t *name = ww_user_name(t, u, &len);
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
            HOLDS(++devices <= WW_HELD_PER_USER_MAX);
            HOLDS(d->kind > WW_KIND_NONE && d->kind < WW_KINDS);
            HOLDS((d->kind == WW_KIND_PASSCODE) ==
                  (d->label == WW_TEMPORARY_PASSCODE || d->label == WW_SMS));
            HOLDS(d->kind < WW_KIND_OCRA || d->kind == WW_KIND_CARD || d->wide);
            HOLDS(d->wide || d == &u->device);
            if (d == &u->device)
                HOLDS(!d->wide && u->card.here == (d->kind == WW_KIND_CARD));
            HOLDS(d->hash < WW_HASHES && d->state <= WW_ENDED && d->label < WW_LABELS);
            if (d->kind == WW_KIND_OCRA) {
                const ww_issue *issue = ww_device_issue(d);
                HOLDS(d->wide && issue->suite < t->suites_used);
                HOLDS(d->digits == t->suites[issue->suite].digits);
                HOLDS(issue->open[0].stands <= issue->issued);
                HOLDS(issue->open[1].stands <= issue->issued);
            } else if (d->kind == WW_KIND_CARD) {
                HOLDS(d->hash == WW_SHA1 && d->window <= 1);
                for (uint32_t at = 0; at < WW_PLATFORMS; at++) {
                    const ww_open open = ww_device_open(t, d, at);
                    const uint8_t *pair = ww_card_asked(d, at);
                    HOLDS(!open.stands || (open.stands - 1 == d->moving && !ww_card_spent(d)));
                    HOLDS(pair[0] <= WW_CARD_CELLS && pair[1] <= WW_CARD_CELLS);
                    HOLDS(!open.stands || (pair[0] && pair[1] && pair[0] != pair[1]));
                    HOLDS(d->wide || open.stands || !(u->card.stands >> at & 1));
                }
            } else if (d->kind >= WW_KIND_PASSWORD) {
                HOLDS(d->hash == WW_SHA256 && !d->digits && !d->prefix && d->state == WW_ACTIVE);
            } else if (d->label == WW_TEMPORARY_PASSCODE) {
                HOLDS(d->hash == WW_SHA256 && d->digits == WW_PASSCODE_CHARS);
            } else {
                HOLDS(d->digits >= WW_DIGITS_MIN && d->digits <= WW_DIGITS_MAX);
            }
            const uint8_t *serial = ww_cold_second(t, d->cold, &text);
            HOLDS(serial + text <= t->cold + t->cold_used);
            (void)ww_device_pin(t, d, &text);
            HOLDS(!d->prefix || (text == WW_KEPT_BYTES && d->kind <= WW_KIND_OCRA));
        }
        HOLDS(devices == u->devices && len <= WW_NAME_BYTES_MAX);
        uint32_t found = ww_slot_find(t, ww_name_hash(t, name, len), name, len);
        HOLDS(found != WW_SLOT_NONE);
    }
}

/* Numbers are never used again; rows that say otherwise are none that the door writes. */
static inline int world_numbers_are_own(const world *w)
{
    for (uint32_t slot = 0; slot < w->t.users_used; slot++) {
        ww_user *u = &w->t.users[slot];
        if ((uint32_t)u->id != slot)
            return 0;
        for (ww_device *d = u->name_len ? ww_device_first(&w->t, u) : NULL; d;
             d = ww_device_next(&w->t, u, d))
            if (ww_device_find(&w->t, u, d->number) != d)
                return 0;
    }
    return 1;
}

/* What a store would keep of page 0 reads back as the same tables: encoded again, it is the same
 * bytes. */
static inline void world_keeps(const world *w, world *other)
{
    static uint8_t image[2][WORLD_PAGE];
    if (!world_numbers_are_own(w))
        return;
    size_t most = ww_page_identity_max(&w->t, 0), state_most = ww_page_state_max(&w->t, 0);
    if (most > WORLD_PAGE || state_most > WORLD_PAGE)
        return;
    ww_page_needs needs;
    size_t n = ww_page_identity_encode(&w->t, 0, image[0]);
    HOLDS(n <= most);
    HOLDS(ww_page_identity_needed(image[0], n, &needs) == 0);
    world_begin(other, w->t.deep != NULL);
    if (!world_room(other, needs.slots, needs.wides, needs.cold_bytes))
        return;
    HOLDS(ww_page_identity_decode(&other->t, 0, image[0], n) == 0);
    HOLDS(ww_page_identity_encode(&other->t, 0, image[1]) == n && !memcmp(image[0], image[1], n));
    n = ww_page_state_encode(&w->t, 0, image[0]);
    HOLDS(n <= state_most);
    HOLDS(ww_page_state_decode(&other->t, 0, image[0], n) == 0);
    HOLDS(ww_page_state_encode(&other->t, 0, image[1]) == n && !memcmp(image[0], image[1], n));
}

#endif
