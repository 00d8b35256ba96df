/* One turn: attempts -> users -> windows -> lanes -> masks, then the transition.
 *
 * Attempts are taken in arrival order in groups of up to 64 in which no user stands twice; a
 * group is laid into lanes, run through the kernel, decided and applied before the next begins.
 * So every window is laid from the state it must see, transitions keep arrival order exactly, and
 * the scratch is a fixed size that stays in the cache. Whoever is unknown, locked or without a
 * device brings lanes all the same: a decoy's, read from a cold record like anyone's.
 */
#include "internal.h"

#include <string.h>

enum { TRIES_MAX = 320, DECOY_POSITIONS = 3 };

typedef struct {
    ww_try tries[TRIES_MAX];
    uint16_t first[WW_GROUP_ATTEMPTS_MAX + 1];  /* tries of attempt i: first[i] .. first[i + 1] */
    uint8_t owner[TRIES_MAX];                   /* whose response a try is held against */
    const ww_device *source[TRIES_MAX];         /* midstates: the device's own, or a decoy's */
    uint8_t inactive[WW_GROUP_ATTEMPTS_MAX];
    /* The response as a number, and its length if it is digits alone, else 0; then the second. */
    uint32_t value[2][WW_GROUP_ATTEMPTS_MAX], digits[2][WW_GROUP_ATTEMPTS_MAX];
    /* lanes of one hash */
    const void *mids[WW_LANES_CHUNK];
    uint64_t moving[WW_LANES_CHUNK];
    uint32_t out[WW_LANES_CHUNK];
    uint32_t lanes_used, tries_used; /* the most of any group: what there is to wipe */
} scratch;

/* What an attempt on a store without users computes with: nobody's key. */
static const ww_device nobody = {.kind = WW_KIND_TOTP, .period_s = 30, .digits = 6, .window = 0x11};

int64_t ww_step_now(const ww_device *d, int64_t now_ms)
{
    int64_t seconds = now_ms >= 0 ? now_ms / 1000 : -((999 - now_ms) / 1000);
    int64_t since = seconds - ww_device_t0(d);
    int64_t period = d->period_s ? d->period_s : 1;
    return since >= 0 ? since / period : -((period - 1 - since) / period);
}

/* Decimal text of any length to a number without branches on its bytes; digits is the length when
 * every byte is a digit and there are at most ten, else 0. */
static void read_digits(const uint8_t *text, size_t len, uint32_t *value, uint32_t *digits)
{
    uint64_t v = 0;
    uint32_t bad = 0;
    size_t most = len <= 10 ? len : 0;
    for (size_t i = 0; i < most; i++) {
        uint32_t d = (uint32_t)text[i] - '0';
        bad |= (uint32_t)(d > 9u);
        v = v * 10 + (d & 15u);
    }
    bad |= (uint32_t)(v >> 32 != 0);
    *value = (uint32_t)v;
    *digits = (uint32_t)most & (0u - (1u - bad));
}

/* ---- windows ---- */

static void window_of(const ww_device *d, int resync, int64_t now_ms, ww_try *y)
{
    if (d->kind == WW_KIND_TOTP) {
        int64_t now_step = ww_step_now(d, now_ms);
        int64_t back = resync ? WW_RESYNC_STEPS : d->window >> 4;
        int64_t forward = resync ? WW_RESYNC_STEPS + 1 : d->window & 15;
        int64_t from = now_step - back + (resync ? 0 : d->drift), count = back + forward + 1;
        if (from < 0) { /* there is no step before t0 */
            count = count + from > 0 ? count + from : 0;
            from = 0;
        }
        y->base = (uint64_t)from;
        y->count = (uint32_t)count;
    } else {
        uint64_t left = UINT64_MAX - d->moving; /* the last counter of all is never used */
        uint64_t count = (resync ? WW_RESYNC_COUNTERS + 1u : d->window) + 1u;
        y->base = d->moving;
        y->count = (uint32_t)(count < left ? count : left);
    }
}

static void add_try(scratch *s, uint32_t *n, uint32_t owner, ww_device *d, const ww_device *source,
                    int resync, int64_t now_ms)
{
    ww_try *y = &s->tries[*n];
    memset(y, 0, sizeof *y);
    y->device = d;
    window_of(source, resync, now_ms, y);
    s->source[*n] = source;
    s->owner[*n] = (uint8_t)owner;
    ++*n;
}

static int serial_is(const ww_tables *t, const ww_device *d, const uint8_t *serial, size_t len)
{
    size_t own_len;
    const uint8_t *own = ww_cold_second(t, d->cold, &own_len);
    return own_len == len && !memcmp(own, serial, len); /* serials are not secret */
}

/* Whose record a name that does not exist reads; there is at least one slot. */
static inline uint32_t decoy_slot(const ww_tables *t, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * t->users_used) >> 32);
}

static const ww_device *decoy_device(const ww_tables *t, uint64_t hash)
{
    if (!t->users_used)
        return &nobody;
    ww_user *u = &t->users[decoy_slot(t, hash)];
    const ww_device *d = u->name_len ? ww_device_first(t, u) : NULL;
    return d ? d : &nobody;
}

/* The windows an attempt is held against: every active device, or the one it names. */
static void lay_attempt(const ww_tables *t, const ww_batch *b, ww_attempt *a, scratch *s,
                        uint32_t i, uint32_t *n, int64_t now_ms)
{
    int resync = a->event == WW_EVENT_RESYNC;
    uint32_t before = *n;
    s->inactive[i] = 0;
    if (a->slot != WW_SLOT_NONE) {
        ww_user *u = &t->users[a->slot];
        int named_seen = 0;
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
            if (a->has_serial && !serial_is(t, d, b->bytes + a->serial_at, a->serial_len))
                continue;
            named_seen = 1;
            if (d->state == WW_ACTIVE)
                add_try(s, n, i, d, d, resync, now_ms);
        }
        if (*n == before && a->has_serial)
            s->inactive[i] = named_seen ? WW_REASON_DEVICE_INACTIVE : WW_REASON_DEVICE_UNKNOWN;
    }
    if (*n == before)
        add_try(s, n, i, NULL, decoy_device(t, a->name_hash), resync, now_ms);
}

/* ---- lanes ---- */

static inline void mask_set(ww_mask *m, uint32_t j, uint32_t bit)
{
    uint64_t v = (uint64_t)bit << (j & 63);
    m->lo |= j < 64 ? v : 0;
    m->hi |= j < 64 ? 0 : v;
}

/* Runs the lanes laid for tries [from, to) of one hash and folds the answers into their masks. */
static void run_lanes(const ww_kernel *k, ww_hash hash, const ww_batch *b, uint32_t group,
                      scratch *s, uint32_t from, uint32_t to, uint32_t lanes)
{
    if (!lanes)
        return;
    k->hotp[hash](s->mids, s->moving, s->out, lanes);
    if (s->lanes_used < lanes)
        s->lanes_used = lanes;
    uint32_t lane = 0;
    for (uint32_t n = from; n < to; n++) {
        ww_try *y = &s->tries[n];
        const ww_device *d = s->source[n];
        if (d->hash != hash)
            continue;
        uint32_t who = s->owner[n], digits = d->digits;
        int resync = b->attempts[group + who].event == WW_EVENT_RESYNC;
        uint32_t fits = ww_eq_u32(s->digits[0][who], digits);
        uint32_t fits2 = ww_eq_u32(s->digits[1][who], digits);
        for (uint32_t j = 0; j < y->count; j++) {
            uint32_t code = ww_reduce(s->out[lane++], digits);
            mask_set(&y->mask, j, ww_eq_u32(code, s->value[0][who]) & fits);
            if (resync)
                mask_set(&y->second, j, ww_eq_u32(code, s->value[1][who]) & fits2);
        }
    }
}

static void match_group(const ww_kernel *k, const ww_batch *b, uint32_t group, scratch *s,
                        uint32_t tries)
{
    uint32_t present = 0;
    for (uint32_t n = 0; n < tries; n++)
        present |= 1u << s->source[n]->hash;
    for (uint32_t hash = 0; hash < WW_HASHES; hash++) {
        if (!(present & 1u << hash))
            continue;
        uint32_t lanes = 0, from = 0;
        for (uint32_t n = 0; n < tries; n++) {
            const ww_device *d = s->source[n];
            if (d->hash != hash)
                continue;
            const ww_try *y = &s->tries[n];
            if (lanes + y->count > WW_LANES_CHUNK) {
                run_lanes(k, (ww_hash)hash, b, group, s, from, n, lanes);
                lanes = 0;
                from = n;
            }
            const void *mid = ww_device_mid(d);
            for (uint32_t j = 0; j < y->count; j++, lanes++) {
                s->mids[lanes] = mid;
                s->moving[lanes] = y->base + j;
            }
        }
        run_lanes(k, (ww_hash)hash, b, group, s, from, tries, lanes);
    }
}

/* ---- the turn ---- */

/* A random user is three cold lines behind a cold index entry: a chain of misses that one attempt
 * would wait for and a batch need not. A group ahead names are hashed and their index entries asked
 * for; then the group's users, all in one burst: spread over the laying of the windows, or a group
 * ahead, the same requests took longer (measured at 4 million users: 4.2 M/s, 3.2 and 3.8). */
static void ask_ahead(const ww_tables *t, ww_batch *b, uint32_t from, uint32_t *named)
{
    uint32_t end = from + WW_GROUP_ATTEMPTS_MAX;
    for (; *named < b->count && *named < end + WW_GROUP_ATTEMPTS_MAX; ++*named) {
        ww_attempt *a = &b->attempts[*named];
        a->name_hash = ww_name_hash(t, b->bytes + a->name_at, a->name_len);
        __builtin_prefetch(&t->index[(uint32_t)(a->name_hash >> 32) & t->index_mask]);
    }
    for (uint32_t i = from; t->users_used && i < b->count && i < end; i++) {
        uint64_t hash = b->attempts[i].name_hash;
        uint32_t slot = ww_slot_likely(t, hash);
        if (slot == WW_SLOT_NONE) { /* the unknown are asked for like anyone */
            slot = decoy_slot(t, hash);
            __builtin_prefetch(ww_decoy_line(t, hash));
        }
        const uint8_t *user = (const uint8_t *)&t->users[slot];
        __builtin_prefetch(user);
        __builtin_prefetch(user + 64);
        __builtin_prefetch(user + 128);
    }
}

/* Finds users and lays windows until the group is full or a user comes a second time. */
static uint32_t lay_group(ww_tables *t, const ww_policy *p, ww_batch *b, uint32_t from, scratch *s,
                          uint32_t *tries, int64_t now_ms)
{
    uint32_t i = 0;
    *tries = 0;
    for (; i < WW_GROUP_ATTEMPTS_MAX && from + i < b->count; i++) {
        ww_attempt *a = &b->attempts[from + i];
        const uint8_t *name = b->bytes + a->name_at;
        if (*tries + WW_DEVICES_PER_USER_MAX > TRIES_MAX)
            break;
        a->place_in = (uint8_t)(a->platform | a->realm << 2);
        a->slot = WW_SLOT_NONE;
        a->bad_name |= !ww_name_legal(p, name, a->name_len);
        if (!a->bad_name)
            a->slot = ww_slot_find(t, a->name_hash, name, a->name_len);
        if (a->slot != WW_SLOT_NONE) {
            uint32_t *mark = &t->users[a->slot].mark;
            if (*mark >= from && *mark < from + i && b->attempts[*mark].slot == a->slot)
                break;
            *mark = from + i;
        }
        s->first[i] = (uint16_t)*tries;
        read_digits(b->bytes + a->response_at, a->response_len, &s->value[0][i], &s->digits[0][i]);
        read_digits(b->bytes + a->second_at, a->second_len, &s->value[1][i], &s->digits[1][i]);
        lay_attempt(t, b, a, s, i, tries, now_ms);
    }
    s->first[i] = (uint16_t)*tries;
    return i;
}

static void decide_and_apply(ww_tables *t, const ww_policy *p, ww_batch *b, uint32_t at,
                             const scratch *s, uint32_t i, int64_t now_ms)
{
    ww_attempt *a = &b->attempts[at];
    ww_user *u = a->slot != WW_SLOT_NONE ? &t->users[a->slot] : NULL;
    uint32_t *deep = NULL;
    ww_streak *streak = NULL;
    if (u) {
        streak = &u->streak;
        deep = t->deep ? t->deep[a->slot] : NULL;
    } else if (!a->bad_name) {
        streak = ww_decoy_find(t, a->name_hash, 0, &deep);
    }
    ww_event_in in = {
        .user = u, .streak = streak, .deep = deep,
        .tries = s->tries + s->first[i], .tries_count = s->first[i + 1u] - s->first[i],
        .legal = !a->bad_name, .inactive = s->inactive[i],
        .source_busy = (uint8_t)(a->has_address && ww_source_busy(t, p, a->address, now_ms)),
    };
    ww_record *out = b->records + b->units;
    uint32_t units = ww_decide(t, p, a, &in, now_ms, out);
    if (!u && units && (out->effects & WW_EFFECT_PUSH))
        streak = ww_decoy_find(t, a->name_hash, 1, &deep);
    for (uint32_t n = 0; n < units; n += 1u + out[n].tail)
        (void)ww_apply(t, &out[n], now_ms, streak, deep);
    if (a->has_address && units && (a->verdict == WW_REJECTED || a->verdict == WW_LOCKED))
        ww_source_charge(t, a->address, now_ms);
    b->units += units;
}

void ww_turn(ww_tables *t, const ww_policy *p, ww_batch *b, int64_t now_ms)
{
    const ww_kernel *k = ww_kernel_in_use();
    scratch s;
    s.lanes_used = s.tries_used = 0;
    uint32_t named = 0;
    b->units = 0;
    for (uint32_t from = 0; from < b->count;) {
        ask_ahead(t, b, from, &named);
        uint32_t tries, group = lay_group(t, p, b, from, &s, &tries, now_ms);
        if (s.tries_used < tries)
            s.tries_used = tries;
        match_group(k, b, from, &s, tries);
        for (uint32_t i = 0; i < group; i++)
            decide_and_apply(t, p, b, from + i, &s, i, now_ms);
        from += group;
    }
    /* What matched, what was typed and what should have been: for a batch of one, few bytes. */
    ww_wipe(s.tries, s.tries_used * sizeof s.tries[0]);
    ww_wipe(s.out, s.lanes_used * sizeof s.out[0]);
    ww_wipe(s.value, sizeof s.value);
}
