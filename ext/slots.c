/* User name -> slot, and the other small look-ups a turn makes by key: decoys and sources.
 *
 * Names are found by a keyed hash (SipHash-1-3), so that nobody who picks names can pick
 * collisions. An index entry is the hash's upper half and the slot; its home is made from that
 * half alone, so that entries can be moved and removed without touching a name.
 */
#include "internal.h"

#include <string.h>

/* ---- the keyed hash ---- */

uint64_t ww_name_hash(const ww_tables *t, const uint8_t *name, size_t len)
{
    uint64_t k0 = t->name_key[0], k1 = t->name_key[1];
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
                     k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    size_t whole = len & ~(size_t)7;
    uint64_t word;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, name + i, 8);
        v[3] ^= word;
        ww_sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)len << 56;
    if (whole && len > whole) /* the last eight bytes hold the rest on top */
        word |= ww_load_le64(name + len - 8) >> (64 - 8 * (len - whole));
    else
        word |= ww_load_few(name + whole, len - whole);
    v[3] ^= word;
    ww_sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    ww_sip_round(v);
    ww_sip_round(v);
    ww_sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* RULES 2. With names = "any" the text has to be UTF-8 without control characters. */
static int utf8_plain(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t c = s[i];
        if (c < 0x20 || c == 0x7f)
            return 0;
        size_t more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
        if (more == 9 || i + more >= len)
            return 0;
        uint32_t point = more == 0 ? c : more == 1 ? c & 31u : more == 2 ? c & 15u : c & 7u;
        for (size_t k = 1; k <= more; k++) {
            if ((s[i + k] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (s[i + k] & 63u);
        }
        static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ||
            (point >= 0x80 && point < 0xa0))
            return 0;
        i += more + 1;
    }
    return 1;
}

/* Of eight bytes those that are neither ASCII letter nor digit: the top bit of each. Sums of seven
 * bits cannot carry into the next byte. */
static inline uint64_t odd_bytes(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u, top = 0x80 * ones;
    uint64_t low = word & ~top, lower = low | 0x20 * ones;
    uint64_t digit = (low + (0x80 - '0') * ones) & ~(low + (0x7f - '9') * ones);
    uint64_t letter = (lower + (0x80 - 'a') * ones) & ~(lower + (0x7f - 'z') * ones);
    return (word | ~(digit | letter)) & top;
}

int ww_name_legal(const ww_policy *p, const uint8_t *name, size_t len)
{
    if (p->names_any)
        return len >= 1 && len <= WW_NAME_BYTES_MAX && utf8_plain(name, len);
    if (len < 1 || len > WW_NAME_CHARS_MAX)
        return 0;
    if (len < 8) /* filled up with letters */
        return !odd_bytes(ww_load_few(name, len) | 0x6161616161616161u << (8 * len));
    uint64_t bad = odd_bytes(ww_load_le64(name + len - 8));
    for (size_t at = 0; at + 8 < len; at += 8)
        bad |= odd_bytes(ww_load_le64(name + at));
    return !bad;
}

/* ---- the index ---- */

static inline uint32_t entry_tag(uint64_t entry) { return (uint32_t)(entry >> 32); }
static inline uint32_t entry_slot(uint64_t entry) { return (uint32_t)entry - 1; }

const uint8_t *ww_user_name(const ww_tables *t, const ww_user *u, size_t *len)
{
    *len = u->name_len;
    if (u->name_len <= WW_NAME_INLINE_BYTES)
        return u->name.text;
    return ww_cold_first(t, u->name.cold, len);
}

uint32_t ww_slot_find(const ww_tables *t, uint64_t hash, const uint8_t *name, size_t len)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = tag & t->index_mask;; at = (at + 1) & t->index_mask) {
        uint64_t entry = t->index[at];
        if (!entry)
            return WW_SLOT_NONE;
        if (entry_tag(entry) != tag)
            continue;
        size_t found_len;
        const uint8_t *found = ww_user_name(t, &t->users[entry_slot(entry)], &found_len);
        if (found_len == len && ww_same_text(found, name, len)) /* names are not secret */
            return entry_slot(entry);
    }
}

uint32_t ww_slot_within(const ww_tables *t, uint64_t hash, const uint8_t *name, size_t len,
                        uint32_t within)
{
    uint32_t slot = ww_slot_find(t, hash, name, len);
    return slot == WW_SLOT_NONE || !within || t->users[slot].realm + 1u == within ? slot
                                                                                  : WW_SLOT_NONE;
}

uint32_t ww_slot_likely(const ww_tables *t, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = tag & t->index_mask;; at = (at + 1) & t->index_mask) {
        uint64_t entry = t->index[at];
        if (!entry)
            return WW_SLOT_NONE;
        if (entry_tag(entry) == tag)
            return entry_slot(entry);
    }
}

static void index_put(uint64_t *index, uint32_t mask, uint64_t entry)
{
    uint32_t at = entry_tag(entry) & mask;
    while (index[at])
        at = (at + 1) & mask;
    index[at] = entry;
}

void ww_slot_index(ww_tables *t, uint32_t slot, uint64_t hash)
{
    index_put(t->index, t->index_mask, (hash >> 32) << 32 | (slot + 1u));
}

void ww_slot_unindex(ww_tables *t, uint32_t slot)
{
    size_t len;
    const uint8_t *name = ww_user_name(t, &t->users[slot], &len);
    uint32_t mask = t->index_mask;
    uint32_t at = (uint32_t)(ww_name_hash(t, name, len) >> 32) & mask;
    while (entry_slot(t->index[at]) != slot) {
        if (!t->index[at])
            return;
        at = (at + 1) & mask;
    }
    /* Close the gap: move back whatever would no longer be found across it. */
    for (uint32_t next = (at + 1) & mask; t->index[next]; next = (next + 1) & mask) {
        uint32_t home = entry_tag(t->index[next]) & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            t->index[at] = t->index[next];
            at = next;
        }
    }
    t->index[at] = 0;
}

void ww_index_move(const uint64_t *from, uint32_t from_mask, uint64_t *to, uint32_t to_mask)
{
    for (uint64_t at = 0; at <= from_mask; at++)
        if (from[at])
            index_put(to, to_mask, from[at]);
}

uint32_t ww_slot_next(const ww_tables *t)
{
    return t->users_free ? t->users_free - 1 : t->users_used;
}

void ww_slots_rebuild(ww_tables *t)
{
    t->users_free = 0;
    t->users_live = 0;
    for (uint32_t slot = t->users_used; slot-- > 0;) {
        ww_user *u = &t->users[slot];
        if (u->name_len) {
            t->users_live++;
            continue;
        }
        u->more = t->users_free;
        t->users_free = slot + 1;
    }
}

/* ---- the cold arena: two short texts under one reference ---- */

uint32_t ww_cold_add(ww_tables *t, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    uint64_t at = t->cold_used;
    uint8_t *to = t->cold + at;
    to[0] = (uint8_t)a_len;
    to[1] = (uint8_t)b_len;
    memcpy(to + 2, a, a_len);
    if (b_len)
        memcpy(to + 2 + a_len, b, b_len);
    t->cold_used = at + WW_COLD_BYTES(a_len, b_len);
    return (uint32_t)(at / 8);
}

const uint8_t *ww_cold_first(const ww_tables *t, uint32_t ref, size_t *len)
{
    const uint8_t *at = t->cold + (uint64_t)ref * 8;
    *len = at[0];
    return at + 2;
}

const uint8_t *ww_cold_second(const ww_tables *t, uint32_t ref, size_t *len)
{
    const uint8_t *at = t->cold + (uint64_t)ref * 8;
    *len = at[1];
    return at + 2 + at[0];
}

/* ---- decoys: streaks of names that do not exist, the oldest of its set makes room; and what
 * whoever has no device for it was asked ---- */

static inline uint32_t decoy_set(uint64_t hash)
{
    return (uint32_t)(hash % (WW_DECOYS / WW_DECOY_WAYS));
}

static inline uint64_t *decoy_names(const ww_tables *t, uint64_t hash)
{
    return &t->decoy_names[decoy_set(hash) * WW_DECOY_WAYS];
}

static inline ww_streak *decoy_streaks(const ww_tables *t, uint64_t hash)
{
    return &t->decoy_streaks[decoy_set(hash) * WW_DECOY_WAYS];
}

const void *ww_decoy_line(const ww_tables *t, uint64_t hash) { return decoy_names(t, hash); }

static int decoy_way(const ww_tables *t, uint64_t hash, int create)
{
    ww_decoys *set = &t->decoys[decoy_set(hash)];
    uint64_t *names = decoy_names(t, hash);
    ww_streak *streaks = decoy_streaks(t, hash);
    int way = 0;
    while (way < WW_DECOY_WAYS && names[way] != hash)
        way++;
    if (way == WW_DECOY_WAYS && create) {
        for (way = 0; way < WW_DECOY_WAYS && names[way]; way++)
            ; /* one that is free, else the oldest */
        if (way == WW_DECOY_WAYS) {
            way = 0;
            for (int other = 1; other < WW_DECOY_WAYS; other++)
                if (streaks[other].last_ms < streaks[way].last_ms)
                    way = other;
        }
        names[way] = hash;
        memset(&streaks[way], 0, sizeof streaks[way]);
        memset(set->open[way], 0, sizeof set->open[way]);
        memset(&set->sent[way], 0, sizeof set->sent[way]);
        memset(&set->answered[way], 0, sizeof set->answered[way]);
        if (t->deep)
            memset(set->gap_deep[way], 0, sizeof set->gap_deep[way]);
    }
    return way;
}

ww_streak *ww_decoy_find(ww_tables *t, uint64_t hash, int create, uint32_t **deep)
{
    int way = decoy_way(t, hash, create);
    if (way == WW_DECOY_WAYS)
        return NULL;
    *deep = t->deep ? t->decoys[decoy_set(hash)].gap_deep[way] : NULL; /* as a user's, no deeper */
    return &decoy_streaks(t, hash)[way];
}

ww_streak *ww_decoy_kept(const ww_tables *t, uint64_t hash, uint32_t *kept)
{
    const uint64_t *names = decoy_names(t, hash);
    uint32_t at = 0, any = 0;
    for (uint32_t way = 0; way < WW_DECOY_WAYS; way++) {
        uint64_t differ = names[way] ^ hash;
        uint32_t is = ww_nonzero_u32((uint32_t)(differ | differ >> 32)) ^ 1u;
        at |= way & (0u - is);
        any |= is;
    }
    *kept = any;
    return &decoy_streaks(t, hash)[at];
}

ww_open *ww_decoy_open(ww_tables *t, uint64_t hash)
{
    int way = decoy_way(t, hash, 1);
    return t->decoys[decoy_set(hash)].open[way];
}

ww_sent *ww_decoy_sent(ww_tables *t, uint64_t hash)
{
    int way = decoy_way(t, hash, 1);
    return &t->decoys[decoy_set(hash)].sent[way];
}

ww_answered *ww_decoy_answered(const ww_tables *t, uint64_t hash, int create)
{
    int way = decoy_way(t, hash, create);
    return way < WW_DECOY_WAYS ? &t->decoys[decoy_set(hash)].answered[way] : NULL;
}

/* ---- sources: failures of an address in the sixty minutes that end with this one ---- */

/* Whoever has an IPv6 address has 2^64 of them: their network is what counts. */
static void source_of(const uint8_t *address, uint8_t source[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(source, address, 16);
    if (memcmp(address, mapped, sizeof mapped) != 0)
        memset(source + 8, 0, 8);
}

static ww_source *source_set(const ww_tables *t, const uint8_t source[16])
{
    uint64_t hash = ww_name_hash(t, source, 16);
    return &t->sources[(hash % (WW_SOURCES / WW_SOURCE_WAYS)) * WW_SOURCE_WAYS];
}

static inline int64_t bucket_of(int64_t minute)
{
    int64_t at = minute % WW_SOURCE_MINUTES;
    return at < 0 ? at + WW_SOURCE_MINUTES : at;
}

/* A clock that went back forgets nothing: what was counted later than now still counts. */
static uint32_t source_total(const ww_source *s, int64_t minute)
{
    uint32_t total = 0;
    for (int64_t m = 0; m < WW_SOURCE_MINUTES; m++)
        if (minute - (s->minute - m) < WW_SOURCE_MINUTES)
            total += s->bucket[bucket_of(s->minute - m)];
    return total;
}

int ww_source_busy(const ww_tables *t, const ww_policy *p, const uint8_t *address, int64_t now_ms)
{
    if (!p->source_failures)
        return 0;
    uint8_t source[16];
    source_of(address, source);
    const ww_source *set = source_set(t, source);
    for (int way = 0; way < WW_SOURCE_WAYS; way++)
        if (set[way].used && !memcmp(set[way].address, source, 16))
            return source_total(&set[way], now_ms / 60000) >= p->source_failures;
    return 0;
}

void ww_source_charge(ww_tables *t, const uint8_t *address, int64_t now_ms)
{
    uint8_t source[16];
    source_of(address, source);
    ww_source *set = source_set(t, source), *s = NULL, *oldest = set;
    int64_t minute = now_ms / 60000;
    for (int way = 0; way < WW_SOURCE_WAYS; way++) {
        if (set[way].used && !memcmp(set[way].address, source, 16))
            s = &set[way];
        if (oldest->used && (!set[way].used || set[way].minute < oldest->minute))
            oldest = &set[way];
    }
    if (!s) {
        s = oldest;
        memset(s, 0, sizeof *s);
        memcpy(s->address, source, 16);
        s->minute = minute;
    }
    for (; s->minute < minute; s->minute++) {
        if (minute - s->minute >= WW_SOURCE_MINUTES) {
            memset(s->bucket, 0, sizeof s->bucket);
            s->minute = minute;
            break;
        }
        s->bucket[bucket_of(s->minute + 1)] = 0;
    }
    uint32_t *bucket = &s->bucket[bucket_of(s->minute)];
    if (*bucket < UINT32_MAX)
        ++*bucket;
    s->used = 1;
}
