/* libFuzzer target for journal rows: ww_row_needed, ww_row_replay, ww_spec_read, what they apply;
 * and ww_whatif_row, which decides what they tell of once more.
 *
 * The input is a program that writes records: legal ones mostly, each field now and then as the
 * input has it. The row is replayed into tables with exactly the room ww_row_needed asked for,
 * after three users that stand already. It fits or is refused; the tables hold either way, and what
 * fits is what a page would keep.
 */
#include "world.h"

enum { UNITS = 64, LATEST_MS = 1 << 30 };

static world one, two;
static _Alignas(64) uint8_t row[sizeof(ww_row) + 64 + UNITS * WW_RECORD_BYTES + 64];

static uint8_t often(source *s, uint8_t legal)
{
    uint8_t byte = (uint8_t)take(s, 1);
    return byte < 240 ? legal : (uint8_t)take(s, 1);
}

/* Which user, by one byte: one that is there, the next one, or one that cannot be. */
static uint64_t whose(source *s)
{
    uint8_t pick = (uint8_t)take(s, 1);
    uint64_t generation = (uint64_t)(pick >> 6 & 1) << 32;
    return pick >= 250 ? take(s, 8) : generation | pick % 6u;
}

static void write_spec(source *s, uint8_t *tail, uint8_t units)
{
    ww_spec spec = {.kind = often(s, 1 + (uint8_t)take(s, 1) % 2), .hash = often(s, 0)};
    spec.digits = often(s, 6);
    spec.state = often(s, 1);
    spec.back = often(s, 1);
    spec.forward = often(s, 1);
    spec.look_ahead = often(s, 10);
    spec.drift_max = often(s, (uint8_t)take(s, 1) % 3);
    spec.period_s = (uint16_t)(often(s, 30));
    spec.key_len = often(s, 20);
    spec.serial_len = often(s, 9);
    spec.t0_s = (int64_t)(take(s, 1) & 1);
    size_t room = units * (size_t)WW_RECORD_BYTES;
    if (room >= WW_SPEC_HEAD_BYTES)
        memcpy(tail, &spec, WW_SPEC_HEAD_BYTES);
}

/* One record and its tail; returns units, 0 when there is no more room. */
static uint32_t write_record(source *s, ww_record *r, uint32_t left)
{
    uint8_t event = (uint8_t)take(s, 1);
    memset(r, 0, sizeof *r);
    r->event = event < 250 ? 1 + event % 16 : event;
    if (r->event > WW_EVENT_CHALLENGE && event < 250)
        r->event = (uint8_t)(r->event - WW_EVENT_CHALLENGE - 1 + WW_EVENT_POLICY);
    uint8_t tail = r->event == WW_EVENT_DEVICE_ADD ? 2
                 : r->event == WW_EVENT_USER_ADD || r->event == WW_EVENT_CHALLENGE;
    r->tail = often(s, tail);
    r->effects = (uint8_t)take(s, 1);
    r->place = often(s, (uint8_t)take(s, 1) % 6);
    r->drift = (int8_t)often(s, 0);
    r->user = whose(s);
    r->moving = take(s, 1) % 4 ? take(s, 1) : take(s, 8);
    r->device = (uint32_t)take(s, 1) % 12;
    r->lock_ms = r->event == WW_EVENT_USER_ADD ? often(s, 1 + (uint8_t)take(s, 1) % 32)
                                               : (uint32_t)take(s, 2);
    uint32_t units = 1u + r->tail;
    if (units > left)
        return 1; /* a tail that is not there: to be refused */
    memset(r + 1, 'a', r->tail * (size_t)WW_RECORD_BYTES);
    if (r->event == WW_EVENT_DEVICE_ADD)
        write_spec(s, (uint8_t *)(r + 1), r->tail);
    else if (r->event == WW_EVENT_USER_ADD && r->tail)
        memset(r + 1, 'a' + (int)(take(s, 1) % 8), 16);
    return units;
}

static size_t write_row(source *s, uint32_t most)
{
    ww_row h = {.magic = WW_ROW_MAGIC, .version = WW_ROW_VERSION, .turn = 7};
    uint8_t odd = (uint8_t)take(s, 1);
    h.time_ms = (int64_t)take(s, 4) % LATEST_MS;
    h.names_bytes = odd & 1 ? WW_RECORD_BYTES : 0;
    ww_record *r = (ww_record *)(void *)(row + sizeof h + h.names_bytes);
    memset(row, 0, sizeof h + h.names_bytes);
    while (s->at < s->end && h.units < most)
        h.units += write_record(s, &r[h.units], most - h.units);
    size_t len = sizeof h + h.names_bytes + h.units * (size_t)WW_RECORD_BYTES;
    if (odd >= 250) /* a header that says something else */
        ((uint8_t *)&h)[odd % sizeof h] ^= (uint8_t)take(s, 1);
    memcpy(row, &h, sizeof h);
    return len;
}

static int replay(world *w, size_t len)
{
    static const int64_t turns[2] = {6, 7}; /* the second page has this row already */
    ww_row_needs needs;
    fence_shut(row, len, sizeof row);
    int fits = ww_row_needed(&w->t, row, len, &needs) == 0 &&
               world_room(w, needs.users, needs.wides, needs.cold_bytes) &&
               ww_row_replay(&w->t, row, len, turns, turns, 2) == 0;
    fence_open(row, 0, sizeof row);
    ww_slots_rebuild(&w->t);
    world_holds(w);
    return fits;
}

/* Three users: one without a device, one with one in the line, one with a chain of seven. */
static void settle(world *w)
{
    world_begin(w, 0);
    world_add_user(w, 0, "ann", 0);
    world_add_user(w, 1, "bob", 1);
    world_add_user(w, 2, "a name of more than forty bytes, kept in the arena", 4);
    ww_spec spec = world_spec(WW_KIND_TOTP, WW_SHA1, 0, 1);
    world_add_device(w, 1, &spec, 0);
    for (uint8_t number = 2; number < 5; number++) {
        spec = world_spec(WW_KIND_HOTP, number < 4 ? WW_SHA1 : WW_SHA512, number == 2, number);
        world_add_device(w, 2, &spec, number);
    }
    spec = world_spec(WW_KIND_OCRA, WW_SHA1, 0, 5);
    world_add_device(w, 2, &spec, 0);
    for (uint8_t number = 7; number < 9; number++) {
        spec = world_spec(WW_KIND_PASSCODE, number < 8 ? WW_SHA1 : WW_SHA256, 0, number);
        world_add_device(w, 2, &spec, 0);
    }
    spec = world_spec(WW_KIND_CARD, WW_SHA1, 0, 6);
    world_add_device(w, 2, &spec, 0);
}

/* The row last written, through decide again under another policy: whatever it tells, the tables
 * hold, and there is an outcome for every attempt and for nothing else. */
static void ask(world *w, size_t len, uint8_t odd)
{
    static ww_source sources[WW_SOURCES];
    static ww_outcome out[UNITS];
    ww_policy p = {.lockout_window_ms = 1 << 20, .lockout_failures = 1u + odd % 12u,
                   .failures_cap = odd % 5u, .source_failures = odd % 3u, .mix_count = 1};
    p.lockout_extend = odd & 1;
    ww_row_needs needs;
    uint32_t count, lost;
    w->t.sources = sources;
    fence_shut(row, len, sizeof row);
    if (ww_row_needed(&w->t, row, len, &needs) == 0 &&
        world_room(w, needs.users, needs.wides, needs.cold_bytes) &&
        ww_whatif_row(&w->t, &p, row, len, out, &count, &lost) == 0) {
        assert(count <= UNITS);
        for (uint32_t i = 0; i < count; i++)
            assert(out[i].flags & WW_OUTCOME_UNKNOWN || out[i].is == out[i].was ||
                   (out[i].is >= WW_ACCEPTED && out[i].is <= WW_BUSY));
    }
    fence_open(row, 0, sizeof row);
    ww_slots_rebuild(&w->t);
    world_holds(w);
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
    settle(&one);
    int fits = 1;
    size_t len = 0;
    for (uint32_t rows = 0; rows < 3 && fits && s.at < s.end; rows++)
        fits = replay(&one, len = write_row(&s, 1 + (uint32_t)take(&s, 1) % UNITS));
    if (fits)
        world_keeps(&one, &two);
    settle(&two);
    ask(&two, len, size ? bytes[0] : 0);
    return 0;
}
