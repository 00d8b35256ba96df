/* libFuzzer target for pages: identity and state, needed and decode.
 *
 * The input is a program that writes an identity page and a state page to it, legal mostly, each
 * field now and then as the input has it, with bytes cut off or put behind. Decoded into tables
 * with exactly the room that was asked for, a page is refused or it is one: then what it made
 * holds, and what is encoded from it reads back the same.
 */
#include "world.h"

enum { IMAGE = 1 << 14 };

static world one, two;
static _Alignas(64) uint8_t image[IMAGE + 64];
typedef struct { uint8_t *at, *end; } writer;

static void put(writer *w, uint64_t v, size_t bytes)
{
    if ((size_t)(w->end - w->at) < bytes)
        bytes = (size_t)(w->end - w->at);
    memcpy(w->at, &v, bytes);
    w->at += bytes;
}

static void put_run(writer *w, uint8_t byte, size_t bytes)
{
    if ((size_t)(w->end - w->at) < bytes)
        bytes = (size_t)(w->end - w->at);
    memset(w->at, byte, bytes);
    w->at += bytes;
}

/* A field that is `legal`, or for sixteen inputs of 256 what the input has. */
static void field(source *s, writer *w, uint64_t legal, uint32_t bytes)
{
    put(w, take(s, 1) < 240 ? legal : take(s, bytes), bytes);
}

static void put_head(source *s, writer *w, uint32_t magic, uint32_t slots)
{
    put(w, magic, 4);
    field(s, w, 1, 4);
    field(s, w, 0, 4);
    field(s, w, slots, 4);
    field(s, w, 99, 4);
}

static const struct { const char *text; uint8_t digits, pin_len; } suites[3] = {
    {"OCRA-1:HOTP-SHA1-6:QN06", 6, 0},
    {"OCRA-1:HOTP-SHA256-10:C-QA40-PSHA512", 10, 64},
    {"OCRA-1:HOTP-SHA512-4:QH64-PSHA1-S512-T48H", 4, 20},
};

static void put_device(source *s, writer *w, uint32_t number)
{
    uint8_t shape = (uint8_t)take(s, 1), key_len = 10 + shape % 32;
    uint8_t serial_len = 1 + shape % 16, ocra = shape % 8 == 4, card = shape % 8 == 5;
    uint8_t hash = card ? WW_SHA1 : shape % 3;
    static const uint8_t mids[3] = {40, 64, 128};
    field(s, w, number, 4);
    field(s, w, ocra ? 3u | (shape / 32u) << 4 : card ? 4u | (7u + shape / 128u) << 4
                                                      : 1u + shape / 128u, 1);
    field(s, w, hash, 1);
    field(s, w, ocra ? suites[hash].digits : 6, 1);
    field(s, w, !card, 1);
    field(s, w, !card, 1);
    field(s, w, card ? shape / 64u & 1 : 10, 1);
    field(s, w, 0, 1);
    field(s, w, card ? 0 : 30, 2);
    field(s, w, shape & 4 ? 0 : 7, 8);
    field(s, w, 1, 1);
    field(s, w, key_len, 2);
    field(s, w, serial_len, 2);
    if (ocra) {
        field(s, w, strlen(suites[hash].text), 1);
        field(s, w, suites[hash].pin_len, 1);
    }
    put_run(w, (uint8_t)(number + 1), (size_t)key_len + serial_len);
    for (const char *c = suites[hash].text; ocra && *c; c++)
        put(w, (uint8_t)*c, 1);
    put_run(w, (uint8_t)(number + 1), (ocra ? suites[hash].pin_len : 0u) + (size_t)mids[hash]);
}

static size_t write_identity(source *s, uint32_t slots)
{
    writer w = {image, image + IMAGE};
    uint32_t number = 1;
    put_head(s, &w, 0x49505757, slots);
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint8_t shape = (uint8_t)take(s, 1), devices = shape >> 6;
        uint8_t len = shape % 8 == 0 ? 0 : shape % 8 == 1 ? 50 : 4;
        field(s, &w, slot, 8);
        field(s, &w, len, 1);
        if (!len)
            continue;
        field(s, &w, shape & 4, 1);
        field(s, &w, devices, 1);
        put_run(&w, (uint8_t)('a' + slot % 26), len - 1u);
        put(&w, shape, 1);
        for (uint8_t i = 0; i < devices; i++)
            put_device(s, &w, number++);
    }
    return (size_t)(w.at - image);
}

/* State for the users that `one` holds, in their order or not. */
static size_t write_state(source *s)
{
    writer w = {image, image + IMAGE};
    put_head(s, &w, 0x53505757, one.t.users_used);
    for (uint32_t slot = 0; slot < one.t.users_used; slot++) {
        ww_user *u = &one.t.users[slot];
        uint8_t shape = (uint8_t)take(s, 1), gaps = shape % 100;
        if (!u->name_len || shape > 250)
            continue;
        field(s, &w, slot, 2);
        field(s, &w, u->devices, 1);
        field(s, &w, shape & 1, 1);
        if (shape & 1) {
            put(&w, 1000, 8);
            put(&w, shape & 2 ? 2000 : 0, 8);
            field(s, &w, gaps + 1u, 1);
            field(s, &w, gaps, 1);
            put_run(&w, shape, gaps * 4u);
        }
        for (ww_device *d = ww_device_first(&one.t, u); d; d = ww_device_next(&one.t, u, d)) {
            field(s, &w, d->number, 4);
            put(&w, shape, 8);
            field(s, &w, 0, 1);
            field(s, &w, shape, 1);
            field(s, &w, shape % 6 | (shape & 8), 1);
            if (!ww_is_asked(d->kind))
                continue;
            uint32_t card = d->kind == WW_KIND_CARD; /* its pair is that of its own count */
            field(s, &w, card ? shape + 1u : 3, 4);
            for (uint32_t platform = 0; platform < 2; platform++) {
                put(&w, shape, 8);
                field(s, &w, card ? (shape & 1) * (shape + 1u) : shape % 4, 4);
                put(&w, 7, 4);
            }
        }
    }
    return (size_t)(w.at - image);
}

/* Cuts off some bytes or leaves some of before behind the page, and shuts what is past its end. */
static size_t fray(source *s, size_t len)
{
    uint8_t how = (uint8_t)take(s, 1);
    if (how >= 240)
        len = how & 1 ? len - (size_t)take(s, 2) % (len + 1) : len + (how & 7);
    if (how == 254) /* not a page at all */
        for (len = 0; len < IMAGE && s->at < s->end; len++)
            image[len] = (uint8_t)take(s, 1);
    len = len < IMAGE ? len : IMAGE;
    fence_shut(image, len, sizeof image);
    return len;
}

static int load_identity(world *w, source *s, uint32_t slots, uint32_t page)
{
    size_t len = fray(s, write_identity(s, slots));
    ww_page_needs needs;
    int fits = ww_page_identity_needed(image, len, &needs) == 0;
    HOLDS(!fits || needs.slots <= WW_PAGE_USERS);
    fits = fits && world_room(w, page * (uint64_t)WW_PAGE_USERS + needs.slots, needs.wides,
                              needs.cold_bytes) &&
           ww_page_identity_decode(&w->t, page, image, len) == 0;
    fence_open(image, 0, sizeof image);
    return fits;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static int shut;
    if (!shut) {
        world_shut(&one);
        world_shut(&two);
        shut = 1;
    }
    source s = {bytes, bytes + size};
    uint8_t how = (uint8_t)take(&s, 1);
    world_begin(&one, how & 1);
    if (!load_identity(&one, &s, how >> 1 & 15, 0))
        return 0;
    ww_slots_rebuild(&one.t);
    world_holds(&one);
    for (uint32_t times = 0; times < 2 && s.at < s.end; times++) {
        size_t len = fray(&s, write_state(&s));
        int fits = ww_page_state_decode(&one.t, 0, image, len) == 0;
        fence_open(image, 0, sizeof image);
        if (!fits) /* the engine does not open on such a store, whatever was read so far */
            return 0;
        world_holds(&one);
    }
    world_keeps(&one, &two);
    return 0;
}
