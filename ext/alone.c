/* A turn of one login that tells nobody by its time who there is.
 *
 * Who asks for one name at a time could put a clock to the answer. So a user who is known, one who
 * is locked and a name that does not exist take the same road here: the same instructions over as
 * many lines. Whoever is asked for is copied, a name that does not exist with its decoy's device
 * and its own streak; the copy is what is matched, decided and applied to, and every line that
 * could be written is, with what became of it or with what it was. What differs between them is
 * masks and pointers, never a jump. In a turn of many nobody can tell whose time it was, and there
 * none of this is done.
 *
 * Rule: whoever has more than one plain HOTP or TOTP device takes the turn's other road (verify.c),
 * and so does a name whose decoy does: what a user has may tell.
 */
#include "match.h"

#include <stdalign.h>

/* Where no user stands whose device a name could borrow. */
static const ww_user nobody = {
    .name_len = 1, .devices = 1,
    .device = {.kind = WW_KIND_TOTP, .period_s = 30, .digits = 6, .window = 0x11, .number = 1,
               .state = WW_ACTIVE}};

/* What an attempt says of itself: nothing but a name and a code. */
static int says_little(const ww_tables *t, const ww_policy *p, const ww_batch *b)
{
    const ww_attempt *a = b->attempts;
    return b->count == 1 && !b->part && !b->given_count && a->event == WW_EVENT_ATTEMPT &&
           a->response_len && !a->challenge_len && !a->second_len && !a->has_serial && !a->shed &&
           !a->first && !a->bad_name && a->name_len <= WW_NAME_INLINE_BYTES && !t->deep &&
           t->users_used && p->failures_cap != 1 &&
           ww_name_legal(p, b->bytes + a->name_at, a->name_len);
}

/* 1 for a user with one device in his own line, a plain counter or step that is active. */
static uint32_t is_plain(const ww_user *u)
{
    const ww_device *d = &u->device;
    uint32_t odd = (u->devices ^ 1u) | u->dated | u->restricted | u->sharing | d->wide | d->prefix |
                   d->resync | d->dated | (d->state ^ (uint32_t)WW_ACTIVE);
    uint32_t plain = (0u - (uint32_t)d->kind) & (d->kind - (uint32_t)WW_KIND_OCRA);
    return (ww_nonzero_u32(odd) ^ 1u) & plain >> 31;
}

static uint32_t is_name(const ww_user *u, const uint8_t *name, size_t len)
{
    uint64_t differ = (uint64_t)u->name_len ^ len;
    if (len < 8) {
        differ |= ww_load_few(u->name.text, len) ^ ww_load_few(name, len);
    } else {
        for (size_t at = 0; at + 8 < len; at += 8)
            differ |= ww_load_le64(u->name.text + at) ^ ww_load_le64(name + at);
        differ |= ww_load_le64(u->name.text + len - 8) ^ ww_load_le64(name + len - 8);
    }
    return ww_nonzero_u32((uint32_t)(differ | differ >> 32)) ^ 1u;
}

static const void *either(uint32_t bit, const void *a, const void *b)
{
    return (const void *)(uintptr_t)ww_select_u64(bit, (uintptr_t)a, (uintptr_t)b);
}

/* The user's, the name's, or none yet: both lines are read, whoever it is. */
static void choose_streak(ww_streak *to, uint32_t known, const ww_streak *user, uint32_t kept,
                          const ww_streak *decoy)
{
    enum { WORDS = sizeof *to / 8 };
    uint64_t a[WORDS], b[WORDS];
    uint64_t yes = ww_opaque_u64(0u - (uint64_t)known);
    uint64_t have = ww_opaque_u64(0u - (uint64_t)kept) & ~yes;
    memcpy(a, user, sizeof a);
    memcpy(b, decoy, sizeof b);
    for (size_t i = 0; i < WORDS; i++)
        a[i] = (a[i] & yes) | (b[i] & have);
    memcpy(to, a, sizeof a);
}

/* What ww_slot_likely finds. Names that exist are found sooner than others are missed, so a cache
 * line's worth of entries is looked at whichever of them ends the search. */
static uint32_t likely(const ww_tables *t, uint64_t hash)
{
    enum { LOOKS = 8 };
    static_assert(WW_SLOT_NONE == (uint32_t)0 - 1, "an empty entry is nobody's");
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = tag;; at += LOOKS) {
        uint64_t found = 0;
        uint32_t ends = 0;
        for (uint32_t n = LOOKS; n-- > 0;) {
            uint64_t entry = t->index[(at + n) & t->index_mask];
            uint32_t goes_on = ww_nonzero_u32((uint32_t)entry) &
                               ww_nonzero_u32((uint32_t)(entry >> 32) ^ tag);
            found = ww_select_u64(goes_on, found, entry);
            ends |= goes_on ^ 1u;
        }
        if (ends)
            return (uint32_t)found - 1;
    }
}

/* Who is asked for, or 0 where another road is to be taken. */
int ww_alone_meet(ww_tables *t, const ww_policy *p, const ww_batch *b, ww_alone *who)
{
    ww_attempt *a = b->attempts;
    if (!says_little(t, p, b))
        return 0;
    const uint8_t *name = b->bytes + a->name_at;
    uint64_t hash = a->name_hash = ww_name_hash(t, name, a->name_len);
    uint32_t slot = likely(t, hash), known = ww_nonzero_u32(~slot), kept;
    uint32_t at = (uint32_t)ww_select_u64(known, slot, ww_decoy_slot(t, hash));
    ww_user *u = &t->users[at];
    ww_streak *decoy = ww_decoy_kept(t, hash, &kept);
    uint32_t plain = is_plain(u), empty = ww_nonzero_u32(u->name_len) ^ 1u;
    if (!((known & plain & is_name(u, name, a->name_len)) | ((known ^ 1u) & (plain | empty))))
        return 0;
    const ww_user *like = either(plain, u, &nobody);
    memcpy(&who->user, like, offsetof(ww_user, streak));
    choose_streak(&who->user.streak, known, &u->streak, kept, decoy);
    who->user.id = ww_select_u64(known, like->id, hash);
    who->user.device.failures &= (uint8_t)(0u - known);
    who->home = u;
    who->decoy = decoy;
    who->known = known;
    who->kept = kept;
    a->slot = slot;
    return 1;
}

/* Which position of whose window matches; of a name that does not exist none ever does. */
void ww_alone_match(const ww_tables *t, const ww_batch *b, ww_alone *who, ww_scratch *s,
                    int64_t now_ms)
{
    ww_attempt *a = b->attempts;
    a->place_in = (uint8_t)((uint32_t)a->platform | (uint32_t)a->realm << 2);
    a->came_due = 0;
    s->asked = s->pushes = s->first[0] = 0;
    s->first[1] = 1;
    s->tries_used = 1;
    s->inactive[0] = s->passed_over[0] = 0;
    ww_read_code(b->bytes + a->response_at, a->response_len, &s->value[0][0], &s->digits[0][0]);
    ww_lay_plain(s, &who->user.device, now_ms);
    ww_match_group(t, ww_kernel_in_use(), b, 0, s, 1);
    s->tries[0].mask.lo &= 0u - (uint64_t)who->known;
    s->tries[0].mask.hi &= 0u - (uint64_t)who->known;
}

/* Writes a line, or with bit 0 what stands there: who was written to is found sooner next time. */
static void write_if(uint32_t bit, void *to, const void *line)
{
    static_assert(sizeof(ww_device) == 64 && sizeof(ww_streak) == 64, "a line each");
    uint64_t yes = ww_opaque_u64(0u - (uint64_t)bit);
    for (size_t at = 0; at < 64; at += 8) { /* by words: nothing of a key is left on the stack */
        uint64_t is = ww_load_le64((uint8_t *)to + at);
        uint64_t new = ww_load_le64((const uint8_t *)line + at);
        ww_store_le64((uint8_t *)to + at, is ^ ((is ^ new) & yes));
    }
}

static void decide(ww_tables *t, const ww_policy *p, ww_batch *b, ww_alone *who,
                   const ww_scratch *s, int64_t now_ms)
{
    ww_attempt *a = b->attempts;
    ww_user *u = &who->user;
    ww_event_in in = {
        .user = u, .streak = &u->streak, .tries = s->tries, .answers = s->answers, .tries_count = 1,
        .legal = 1, .stranger = (uint8_t)(who->known ^ 1u),
        .source_busy = (uint8_t)(a->has_address && ww_source_busy(t, p, a->address, now_ms))};
    uint32_t units = b->units = a->units = (uint8_t)ww_decide(t, p, a, &in, now_ms, 1, b->records);
    if (!units)
        return;
    for (uint32_t n = 0; n < units; n += 1u + b->records[n].tail)
        ww_apply_alone(t, u, &b->records[n], now_ms);
    b->records[0].effects &= (uint8_t)~(WW_EFFECT_CHARGE & (who->known - 1u));
    if (!(who->known | who->kept)) { /* the first of this name */
        uint32_t *deep;
        who->decoy = ww_decoy_find(t, a->name_hash, 1, &deep);
    }
    write_if(who->known, &who->home->device, &u->device);
    write_if(who->known, &who->home->streak, &u->streak);
    write_if(who->known ^ 1u, who->decoy, &u->streak);
    ww_mark_dirty(t, (uint32_t)(who->home - t->users), WW_DIRTY_STATE & (0u - who->known));
    if (a->has_address && ww_charges_source(a))
        ww_source_charge(t, a->address, now_ms);
}

int ww_turn_alone(ww_tables *t, const ww_policy *p, ww_batch *b, ww_scratch *s, int64_t now_ms)
{
    alignas(64) ww_alone who;
    if (!ww_alone_meet(t, p, b, &who))
        return 0;
    ww_alone_match(t, b, &who, s, now_ms);
    decide(t, p, b, &who, s, now_ms);
    ww_wipe(&who.user.device, sizeof who.user.device); /* midstates */
    return 1;
}
