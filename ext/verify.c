/* One turn: attempts -> users -> windows -> lanes -> masks, then the transition.
 *
 * Attempts are taken in arrival order in groups of up to 64 in which no user stands twice; a
 * group is laid into lanes, run through the kernel, decided and applied before the next begins.
 * So every window is laid from the state it must see, transitions keep arrival order exactly, and
 * the scratch is a fixed size that stays in the cache. Whoever is unknown, locked or without a
 * device brings lanes all the same: a decoy's, read from a cold record like anyone's.
 */
#include "match.h"

#include <string.h>

/* Nine digits, or ten: OCRA alone. What passes 32 bits is no code. */
static void read_long(const uint8_t *text, size_t len, uint32_t *value, uint32_t *digits)
{
    uint64_t number = 0;
    uint32_t bad = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t digit = text[i] ^ 0x30u;
        bad |= ((digit + 0x76u) | digit) & 0x80u; /* above nine */
        number = number * 10 + digit;
    }
    bad |= (uint32_t)(number >> 32);
    *value = (uint32_t)number;
    *digits = (uint32_t)len & (0u - (1u ^ ww_nonzero_u32(bad)));
}

/* A code as a number, without branches on its bytes; digits is its length when every byte is a
 * digit and no device shows more of them, else 0. */
static inline void read_digits(const uint8_t *text, size_t len, uint32_t *value, uint32_t *digits)
{
    const uint64_t ones = 0x0101010101010101u;
    if (len > WW_DIGITS_MAX && len <= WW_SUITE_DIGITS_MAX) { /* lengths are no secret */
        read_long(text, len, value, digits);
        return;
    }
    size_t most = len <= WW_DIGITS_MAX ? len : 0;
    /* Eight digits, zeros in front: the first is the lowest byte. */
    uint64_t word = most == 8 ? ww_load_le64(text)
                              : ww_load_few(text, most) << (8 * (8 - most) & 63);
    word ^= most ? (0x30 * ones) << (8 * (8 - most)) : 0;
    uint64_t bad = (word + 0x76 * ones) | word; /* a byte above nine carries into its top bit */
    word = word * 10 + (word >> 8);             /* pairs, then fours, then all: two at a time */
    word = ((word & 0x000000ff000000ffu) * 0x000f424000000064u +
            ((word >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >> 32;
    *value = (uint32_t)word;
    *digits = (uint32_t)most & (0u - (1u ^ ww_nonzero_u32((uint32_t)((bad & 0x80 * ones) >> 32) |
                                                          (uint32_t)(bad & 0x80 * ones))));
}

void ww_read_code(const uint8_t *text, size_t len, uint32_t *value, uint32_t *digits)
{
    read_digits(text, len, value, digits);
}

/* ---- the turn ---- */

/* A random user is three cold lines behind a cold index entry: a chain of misses that one attempt
 * would wait for and a batch need not. Two groups ahead names are hashed and their index entries
 * asked for, one group ahead the users. What costs most is finding the page of an address, and
 * that goes on for several at a time only while little else stands between the requests: so they
 * come in one burst, first one line of every user, then the two beside it. */
static void look_ahead(const ww_tables *t, ww_batch *b, uint32_t from, ww_scratch *s)
{
    uint32_t most = from + 3 * WW_GROUP_ATTEMPTS_MAX, users = 0;
    for (most = most < b->count ? most : b->count; s->named < most; s->named++) {
        ww_attempt *a = &b->attempts[s->named];
        a->name_hash = ww_name_hash(t, b->bytes + a->name_at, a->name_len);
        __builtin_prefetch(&t->index[(uint32_t)(a->name_hash >> 32) & t->index_mask]);
    }
    most = from + 2 * WW_GROUP_ATTEMPTS_MAX;
    for (most = most < b->count ? most : b->count; s->found < most; s->found++) {
        ww_attempt *a = &b->attempts[s->found];
        uint32_t slot = a->slot = ww_slot_likely(t, a->name_hash);
        if (slot == WW_SLOT_NONE) { /* the unknown are asked for like anyone */
            slot = ww_decoy_slot(t, a->name_hash);
            __builtin_prefetch(ww_decoy_line(t, a->name_hash));
        }
        const uint8_t *user = (const uint8_t *)&t->users[slot];
        __builtin_prefetch(user);
        s->next[users++] = user;
    }
    for (uint32_t i = 0; i < users; i++) {
        __builtin_prefetch(s->next[i] + 64);
        __builtin_prefetch(s->next[i] + 128);
    }
}

/* A further device hangs on its user: its line, and the one beside it with what it was asked. Those
 * of the group that follows are asked for one by one while this one is decided: its users are here
 * by now, and finding a page goes on beside a decision. What stands behind these two lines a kind
 * asks for itself when it is laid (ww_look_behind), but for what leads to a user's next device.
 * Inlined: a function that only asks for memory has no effects, and compilers leave calls of such
 * out. */
static inline __attribute__((always_inline)) void
look_further(const ww_tables *t, const ww_batch *b, uint32_t at)
{
    uint32_t slot = at < b->count ? b->attempts[at].slot : WW_SLOT_NONE;
    if (slot == WW_SLOT_NONE || !t->users[slot].more ||
        (t->users[slot].card.here && t->users[slot].devices == 1))
        return;
    const uint8_t *wide = (const uint8_t *)&t->wides[t->users[slot].more - 1];
    __builtin_prefetch(wide);
    __builtin_prefetch(wide + 64);
    if (t->users[slot].devices > 1)
        __builtin_prefetch(wide + 128);
}

/* A name to its user: what was found by its hash alone, if that is whose name it is. */
static inline uint32_t slot_of(const ww_tables *t, const ww_attempt *a, const uint8_t *name)
{
    if (a->slot == WW_SLOT_NONE)
        return WW_SLOT_NONE;
    size_t len;
    const uint8_t *found = ww_user_name(t, &t->users[a->slot], &len);
    if (len == a->name_len && ww_same_text(found, name, len)) /* names are not secret */
        return a->slot;
    return ww_slot_find(t, a->name_hash, name, a->name_len);
}

/* Whether the user of attempt i came before in this group; if not, now he has. */
static inline int meets(ww_scratch *s, const ww_batch *b, uint32_t from, uint32_t i)
{
    uint32_t slot = b->attempts[from + i].slot, at = slot % MET;
    for (; s->met[at]; at = (at + 1) % MET)
        if (b->attempts[from + s->met[at] - 1u].slot == slot)
            return 1;
    s->met[at] = (uint8_t)(i + 1);
    return 0;
}

/* What of an attempt a what-if has to know and no verdict tells. */
static inline uint32_t facts_of(const ww_attempt *a)
{
    int empty = !a->response_len && a->event == WW_EVENT_ATTEMPT;
    int named = a->has_serial || a->challenge_len;
    return (empty ? (uint32_t)WW_PLACE_EMPTY : 0u) | (named ? (uint32_t)WW_PLACE_NAMED : 0u);
}

/* What has come due of a user is so before his windows are laid. A clock in doubt moves nothing,
 * and an answer to a question looks at no device. */
static void take_due(ww_tables *t, ww_attempt *a, int64_t now_ms)
{
    a->came_due = !a->shed && a->event != WW_EVENT_ANSWER &&
                  ww_come_due(t, &t->users[a->slot], now_ms);
}

/* What changes something enters no realm: the user's own is as good as said; but a gateway that is
 * confined to the one it says has nobody elsewhere. */
static void stay_within(const ww_tables *t, ww_attempt *a)
{
    uint8_t realm = t->users[a->slot].realm;
    if (a->first & WW_FIRST_WITHIN && a->realm != realm) {
        a->slot = WW_SLOT_NONE;
        return;
    }
    a->realm = realm;
    a->place_in = (uint8_t)((a->place_in & ~4u) | (uint32_t)a->realm << 2);
}

/* Finds users and lays windows until the group is full or a user comes a second time. */
static uint32_t lay_group(ww_tables *t, const ww_policy *p, ww_batch *b, uint32_t from,
                          ww_scratch *s, uint32_t *tries, int64_t now_ms)
{
    uint32_t i = 0;
    *tries = s->asked = s->pushes = 0;
    memset(s->met, 0, sizeof s->met);
    for (; i < WW_GROUP_ATTEMPTS_MAX && from + i < b->count; i++) {
        ww_attempt *a = &b->attempts[from + i];
        const uint8_t *name = b->bytes + a->name_at;
        if (*tries + WW_DEVICES_PER_USER_MAX > TRIES_MAX)
            break;
        a->place_in = (uint8_t)((uint32_t)a->platform | (uint32_t)a->realm << 2 | facts_of(a));
        a->bad_name |= !ww_name_legal(p, name, a->name_len);
        a->slot = a->bad_name ? WW_SLOT_NONE : slot_of(t, a, name);
        if (a->slot != WW_SLOT_NONE && a->first & (WW_FIRST_DEVICE | WW_FIRST_WITHIN))
            stay_within(t, a);
        if (a->slot != WW_SLOT_NONE) {
            /* What one of them uses up a sharer of the device must find used: it begins a group. */
            if (meets(s, b, from, i) | (t->users[a->slot].sharing & (i > 0)))
                break;
            if (t->users[a->slot].dated)
                take_due(t, a, now_ms);
        }
        s->first[i] = (uint16_t)*tries;
        read_digits(b->bytes + a->response_at, a->response_len, &s->value[0][i], &s->digits[0][i]);
        s->value[1][i] = s->digits[1][i] = 0; /* as nothing is read */
        if (a->second_len)
            read_digits(b->bytes + a->second_at, a->second_len, &s->value[1][i],
                        &s->digits[1][i]);
        ww_lay_attempt(t, b, a, s, i, tries, now_ms);
    }
    s->first[i] = (uint16_t)*tries;
    return i;
}

static void decide_and_apply(ww_tables *t, const ww_policy *p, ww_batch *b, uint32_t at,
                             const ww_scratch *s, uint32_t i, int64_t now_ms)
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
        .tries = s->tries + s->first[i], .answers = s->answers + s->first[i],
        .tries_count = s->first[i + 1u] - s->first[i],
        .legal = !a->bad_name, .stranger = !u, .inactive = s->inactive[i],
        .passed_over = s->passed_over[i] & WW_NOT_TRIED,
        .limited = s->passed_over[i] & (uint8_t)~WW_NOT_TRIED,
        .source_busy = (uint8_t)(a->has_address && ww_source_busy(t, p, a->address, now_ms)),
    };
    ww_record *out = b->records + b->units;
    if (a->came_due)
        b->units += ww_due_record(t, u, now_ms, out++);
    uint32_t units = ww_decide(t, p, a, &in, now_ms, 0, out);
    if (!u && units && (out->effects & WW_EFFECT_PUSH))
        streak = ww_decoy_find(t, a->name_hash, 1, &deep);
    for (uint32_t n = 0; n < units; n += 1u + out[n].tail)
        (void)ww_apply(t, &out[n], now_ms, streak, deep);
    if (a->has_address && units && ww_charges_source(a))
        ww_source_charge(t, a->address, now_ms);
    b->units += units;
    a->units = (uint8_t)(units + a->came_due);
}

/* The same of a group in which request ids may have been given: *next is the first of the ids that
 * was not reached. A push is claimed before its verdict is remembered, for it says how. */
static void decide_given(ww_tables *t, const ww_policy *p, ww_batch *b, uint32_t from,
                         const ww_scratch *s, uint32_t group, int64_t now_ms, uint32_t *next)
{
    for (uint32_t i = 0; i < group; i++) {
        int has_id = *next < b->given_count && b->given[*next].at == from + i;
        ww_given *g = has_id ? &b->given[(*next)++] : NULL;
        if (t->wides_used)
            look_further(t, b, from + group + i);
        if (g && ww_given_again(t, b, g, now_ms)) {
            ww_attempt *a = &b->attempts[from + i];
            if (a->came_due) /* it has, whoever asks */
                b->units += ww_due_record(t, &t->users[a->slot], now_ms, b->records + b->units);
            continue;
        }
        decide_and_apply(t, p, b, from + i, s, i, now_ms);
        if (g && s->pushes)
            ww_push_claims(t, b, from, s, i + 1);
        if (g)
            ww_given_keep(t, b, g, now_ms);
    }
}

static void turn_of_groups(ww_tables *t, const ww_policy *p, ww_batch *b, ww_scratch *s,
                           int64_t now_ms)
{
    const ww_kernel *k = ww_kernel_in_use();
    uint32_t given = 0, further = t->wides_used;
    for (uint32_t from = 0; from < b->count;) {
        look_ahead(t, b, from, s);
        uint32_t tries, group = lay_group(t, p, b, from, s, &tries, now_ms);
        if (s->tries_used < tries)
            s->tries_used = tries;
        ww_match_group(t, k, b, from, s, tries);
        if (given < b->given_count)
            decide_given(t, p, b, from, s, group, now_ms, &given);
        else
            for (uint32_t i = 0; i < group; i++) {
                if (further)
                    look_further(t, b, from + group + i);
                decide_and_apply(t, p, b, from + i, s, i, now_ms);
            }
        if (s->pushes)
            ww_push_claims(t, b, from, s, group);
        from += group;
    }
}

static void scratch_begin(ww_scratch *s)
{
    s->texts_used = 0;
    s->common_of = NULL;
    s->lanes_used = s->tries_used = s->shared_count = s->period_s = s->named = s->found = 0;
    s->shared_from = 0;
    s->filled = s->idle = 0;
}

void ww_turn(ww_tables *t, const ww_policy *p, ww_batch *b, int64_t now_ms)
{
    ww_scratch s;
    scratch_begin(&s);
    b->units = 0;
    if (!ww_turn_alone(t, p, b, &s, now_ms))
        turn_of_groups(t, p, b, &s, now_ms);
    b->lanes = s.filled;
    b->idle_lanes = s.idle;
    /* What matched, what was typed and what should have been: for a batch of one, few bytes. */
    ww_wipe(s.tries, s.tries_used * sizeof s.tries[0]);
    ww_wipe(s.out, s.lanes_used * sizeof s.out[0]);
    ww_wipe(s.value, sizeof s.value);
    ww_wipe(s.want, sizeof s.want);
    ww_wipe(s.texts, s.texts_used);
}
