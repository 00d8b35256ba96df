/* What the C files of the core share among themselves and nobody else may see.
 *
 * Big-endian loads and stores (hashes count that way), unaligned native ones, the shapes that
 * files and tables rely on, asserted next to each other, and the rows that dispatch.c chooses from.
 */
#ifndef WATCHWORD_INTERNAL_H
#define WATCHWORD_INTERNAL_H

#include <assert.h>
#include <string.h>

#include "secret.h"
#include "texts.h"
#include "watchword.h"

/* ---- shapes ---- */

/* On disk: a size that moves is a format that changed. */
static_assert(sizeof(ww_record) == WW_RECORD_BYTES, "a journal record is one unit");
static_assert(offsetof(ww_spec, key) == WW_SPEC_HEAD_BYTES, "an enrolment's head has no gaps");
static_assert(sizeof(ww_asked_for) == WW_RECORD_BYTES, "what a challenge records is one unit");
static_assert(sizeof(ww_dates) == 24, "dates are three words of a journal and of a page");
static_assert(sizeof(ww_token) == 32 && WW_TOKEN_CHARS == 2 * (16 + sizeof(ww_token)) &&
                  WW_TOKEN_CHARS_MAX == WW_TOKEN_CHARS + 2 * WW_POSED_CHARS_MAX,
              "a challenge id is a MAC and what it seals, in hex");
static_assert(sizeof(ww_row) == WW_RECORD_BYTES, "a row's header is one unit");
static_assert(sizeof(ww_id_tail) == WW_RECORD_BYTES, "what an id records is one unit");

/* In memory: an attempt touches three adjacent cache lines and no more. */
static_assert(sizeof(ww_device) == 64, "a device is a cache line");
static_assert(sizeof(ww_issue) == 64, "what was asked of a device is a cache line");
static_assert(sizeof(ww_wide) == 256, "a wide device: its line, its issue, two of midstates");
static_assert(sizeof(ww_passcode) == 64 && sizeof(ww_passcode) <= sizeof(((ww_wide *)0)->mid),
              "a passcode as kept takes the place of two midstates of SHA-256");
static_assert(sizeof(ww_streak) == 64, "a streak is a cache line");
static_assert(sizeof(ww_user) == 192, "a user is three cache lines");
static_assert(sizeof(ww_extra) == 64, "what few users have is a cache line");
static_assert(WW_RANGES_MAX * WW_RANGE_BYTES <= UINT8_MAX, "ranges are one text of the arena");
static_assert(offsetof(ww_user, device) == 64, "the device starts a line");
static_assert(offsetof(ww_user, streak) == 128, "the streak starts a line");
static_assert(offsetof(ww_wide, mid) == 128, "wide midstates start a line");
static_assert(sizeof(ww_id_told) == 64 && offsetof(ww_ids, told) == 64,
              "what an attempt was told is a cache line");

/* Limits that follow from one another. */
static_assert(1 + WW_RING_INLINE + WW_RING_DEEP == WW_LOCKOUT_FAILURES_MAX,
              "a streak of n failures has n - 1 gaps, near ones inline and the rest deep");
static_assert(WW_POSITIONS_MAX == 8 * sizeof(ww_mask), "a mask has a bit for every position");
static_assert(WW_LOOK_AHEAD_MAX + 1 <= WW_POSITIONS_MAX, "a look-ahead fits a mask");
static_assert(WW_RESYNC_COUNTERS + 1 <= WW_POSITIONS_MAX, "a resynchronisation fits a mask");
static_assert(2 * (WW_WINDOW_STEPS_MAX + WW_DRIFT_STEPS_MAX) + 1 <= WW_POSITIONS_MAX &&
                  2 * (WW_RESYNC_STEPS + WW_DRIFT_STEPS_MAX) + 2 <= WW_POSITIONS_MAX,
              "a window of steps fits a mask");
static_assert(WW_PERIOD_SECONDS_MAX < 4096, "a period is twelve bits");
static_assert(WW_WINDOW_STEPS_MAX <= 15, "back and forward are four bits each");
static_assert(WW_DRIFT_STEPS_MAX <= 15, "drift_max is four bits");
static_assert(WW_SUITE_BYTES_MAX + 1 + 8 + 128 + WW_PIN_DIGEST_BYTES_MAX + WW_SESSION_BYTES_MAX +
                      8 + 17 <= WW_TEXT_BYTES_MAX && WW_TEXT_BYTES_MAX % 128 == 0,
              "every message fits, padded, in whole blocks of either size");
static_assert(WW_KEY_BYTES_MAX + WW_PIN_DIGEST_BYTES_MAX + WW_PHONE_BYTES <= UINT8_MAX,
              "a key, a PIN's digest and a phone's public key are one text of the arena");
static_assert(sizeof(ww_push) == 72, "a push is 72 bytes, and a million of them 72 MB");
static_assert(WW_PUSH_ID_CHARS == 2 * WW_PUSH_ID_BYTES && WW_PUSH_ID_CHARS != WW_TOKEN_CHARS,
              "a push is told by the length of its id");
static_assert(WW_SUITES_MAX <= UINT8_MAX + 1, "the index of a suite is a byte");
static_assert(WW_LABELS <= 16 && WW_KINDS <= 16, "kind and label are four bits each");
static_assert(WW_LANES_CHUNK % 2 == 0, "a card's answer is two lanes");
static_assert(WW_LANES_CHUNK >= WW_POSITIONS_MAX, "one window fits one call of the kernel");
static_assert(WW_SIDE_BY_SIDE * WW_COUNTERS_MAX <= WW_LANES_CHUNK && WW_COUNTERS_MAX <= 32,
              "windows side by side fit one call of the kernel, and their masks a word each");
static_assert(WW_RECORD_UNITS_PER_ATTEMPT_MAX >= 4 + 2 * WW_DEVICES_PER_USER_MAX + WW_SHARERS_MAX,
              "what came due, a record, its tails, two a device and one for whoever shares it fit");
static_assert((WW_IDS_MAX & (WW_IDS_MAX - 1)) == 0 && WW_IDS_MAX <= 1 << 20,
              "a place and one fit the 21 bits of an index entry that are not its tag");
static_assert((WW_DECOYS & (WW_DECOYS - 1)) == 0 && WW_DECOYS % WW_DECOY_WAYS == 0,
              "decoys are picked by the bits of a hash");
static_assert((WW_SOURCES & (WW_SOURCES - 1)) == 0 && WW_SOURCES % WW_SOURCE_WAYS == 0,
              "sources are picked by the bits of a hash");

/* ---- bytes and words ---- */

static inline uint32_t ww_load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t ww_load_be64(const uint8_t *p)
{
    return (uint64_t)ww_load_be32(p) << 32 | ww_load_be32(p + 4);
}

static inline void ww_store_be32(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

static inline void ww_store_be64(uint8_t *p, uint64_t x)
{
    ww_store_be32(p, (uint32_t)(x >> 32));
    ww_store_be32(p + 4, (uint32_t)x);
}

/* ---- SipHash-2-4's round: names, and whatever else is keyed ---- */

static inline uint64_t ww_rotl(uint64_t x, unsigned n) { return (x << n) | (x >> (64 - n)); }

static inline void ww_sip_round(uint64_t v[4])
{
    v[0] += v[1]; v[1] = ww_rotl(v[1], 13); v[1] ^= v[0]; v[0] = ww_rotl(v[0], 32);
    v[2] += v[3]; v[3] = ww_rotl(v[3], 16); v[3] ^= v[2];
    v[0] += v[3]; v[3] = ww_rotl(v[3], 21); v[3] ^= v[0];
    v[2] += v[1]; v[1] = ww_rotl(v[1], 17); v[1] ^= v[2]; v[2] = ww_rotl(v[2], 32);
}

/* ---- what two parts of one turn may both look at ---- */

/* The parts of a batch (watchword.h, ww_turn) share no user. A name that does not exist reads some
 * user's device all the same, and pages are marked by whoever is first: those words are stored and
 * loaded whole, in no order, at the price of any other store and load. */
#define ww_put(at, value) __atomic_store_n(at, value, __ATOMIC_RELAXED)
#define ww_get(at) __atomic_load_n(at, __ATOMIC_RELAXED)

static inline void ww_mark_dirty(ww_tables *t, uint32_t slot, uint32_t bits)
{
    uint8_t *page = &t->dirty[slot / WW_PAGE_USERS];
    if ((ww_get(page) & bits) != bits)
        __atomic_fetch_or(page, (uint8_t)bits, __ATOMIC_RELAXED);
}

/* Whose own line a device is that is not wide. */
static inline ww_user *ww_user_around(const ww_device *d)
{
    return (ww_user *)((uintptr_t)d - offsetof(ww_user, device));
}

/* Kinds that answer challenges: they have a ww_issue. */
static inline int ww_is_asked(uint32_t kind) { return kind - WW_KIND_OCRA <= 1u; }
static inline int ww_has_issue(const ww_device *d) { return ww_is_asked(d->kind) || ww_is_sms(d); }
/* And one that asks for an answer: its issue is kept as well. */
static inline int ww_keeps_issue(const ww_device *d)
{
    return ww_has_issue(d) || d->kind == WW_KIND_QUESTION;
}
static_assert(WW_KIND_CARD == WW_KIND_OCRA + 1, "ww_is_asked is one comparison");

/* ---- challenge.c ---- */

/* x to another number below size, one to one; which, say the key, who, and the pass. */
uint64_t ww_permute(const uint64_t key[2], uint64_t who, uint64_t pass, uint64_t size, uint64_t x);

/* On the road of every login. Where the linker optimises, each of its two callers (verify.c and
 * whatif.c) gets a copy of its own, as the one caller it had before got. */
#ifdef __clang__ /* which wants no `inline` where what is inlined calls static functions */
#define WW_ROAD __attribute__((always_inline))
#else
#define WW_ROAD inline __attribute__((always_inline))
#endif

/* ---- state.c, apply.c and acts.c: the transition ---- */

/* Of an attempt: an active device was not tried; what was may have run out; it names a push; a
 * password was given or is needed; a PIN stands beside a code; its user may come from some places
 * alone. */
enum { WW_NOT_TRIED = 1, WW_LIMITED = 2, WW_PUSHED = 4, WW_GUARDED = 8, WW_PINNED = 16,
       WW_RESTRICTED = 32 };

/* Milliseconds between two moments, as far as a ring can hold them. */
static inline uint32_t ww_gap(int64_t from_ms, int64_t to_ms)
{
    int64_t gap = to_ms - from_ms;
    return gap < 0 ? 0 : gap > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)gap;
}

/* Whether a record is of an attempt that brought a request id. */
static inline int ww_has_id(const ww_record *r)
{
    return r->place & WW_PLACE_ID && r->tail && ww_is_attempt(r);
}

/* The address in an attempt's tail; NULL: it has none. */
static inline const uint8_t *ww_record_address(const ww_record *r)
{
    return r->tail > (uint32_t)ww_has_id(r) ? (const uint8_t *)(r + 1) : NULL;
}

/* The user whom a record names; NULL: there is none, and the record does not fit the tables. */
static inline ww_user *ww_user_of(const ww_tables *t, const ww_record *r)
{
    uint32_t slot = (uint32_t)r->user;
    ww_user *u = slot < t->users_used ? &t->users[slot] : NULL;
    return u && u->id == r->user && u->name_len ? u : NULL;
}

/* What a record of an attempt does to a user who has no deep gaps; masks, no jumps, do what differs
 * between who is locked and who is not. */
void ww_apply_alone(ww_tables *t, ww_user *u, const ww_record *r, int64_t now_ms);
void ww_streak_clear(ww_streak *s, uint32_t *deep);
/* Of its gaps so many are kept, or WW_RING_INLINE; the others count as far apart (deep.c). */
void ww_streak_deepen(const ww_streak *s, uint32_t *deep, uint32_t kept);
int ww_apply_challenge(ww_tables *t, const ww_record *r);

/* ---- ocra.c ---- */

/* Whether questions of a suite are kept as they are hashed: what they pack to fits. */
static inline int ww_question_kept(const ww_suite *s)
{
    return s->chars <= (s->format == 'N' ? 28 : s->format == 'H' ? 24 : 12);
}
static_assert(WW_QUESTION_INLINE_BYTES == 12, "10^28 < 2^96, and 24 nibbles, and 12 characters");
static_assert(3 + 8 + WW_QUESTION_INLINE_BYTES <= 4 * WW_OWN_WORDS,
              "a counter and a question anywhere in a word fit the words that lanes may own");

/* ---- challenge.c and posed.c ---- */

/* HMAC-SHA256 under the token key; the first byte says of what. At most WW_TOKEN_TEXT_MAX bytes. */
enum { WW_TOKEN_TEXT_MAX = 2 + WW_PURPOSE_BYTES_MAX + 1 + WW_POSED_CHARS_MAX };
void ww_token_mac(const ww_tables *t, uint8_t what, const uint8_t *bytes, size_t len,
                  uint8_t mac[32]);
uint64_t ww_token_digest(const ww_tables *t, uint8_t what, const uint8_t *bytes, size_t len);
/* Whether a device can be asked what is posed; nothing posed: any can. */
int ww_posed_fits(const ww_tables *t, const ww_device *d, const ww_ask *a);
/* The challenge of an ask with something posed, its prompt, answer and the text its id carries. d
 * NULL: a plausible one, kept in open. -1: too many answers within the epoch. */
int ww_ask_posed(ww_tables *t, ww_ask *a, ww_device *d, uint64_t hash, uint32_t epoch,
                 int64_t now_ms, ww_open *open, uint8_t *posed, uint16_t *posed_len);
/* The one that stands, when it is current and for the same; else the next. */
ww_open ww_open_or_next(const ww_open *now, uint64_t purpose, uint32_t epoch, uint32_t next);
/* How many answers were given in this epoch or later. */
uint32_t ww_answers_lately(const ww_open open[WW_PLATFORMS], uint32_t answers, uint32_t epoch);
/* ---- phones.c ---- */

/* The first device of the chain that this one hangs in; far.alike is the next, + 1. */
ww_device *ww_linked_first(const ww_tables *t, const ww_device *d);
ww_device *ww_linked_under(const ww_tables *t, const uint8_t *key, size_t len);

/* Whether there is a phone that could be asked to approve a login. */
static inline int ww_has_phone(const ww_device *d)
{
    return d->kind == WW_KIND_OCRA && ((const ww_wide *)(const void *)d)->issue.phone != 0;
}

/* ---- codes.c ---- */

const ww_passcode *ww_passcode_of(const ww_device *d);
int ww_code_current(const ww_device *d, const ww_open *o, uint32_t now_s);
void ww_code_sent(ww_device *d, uint32_t platform, const ww_asked_for *tail);
int ww_ask_code(ww_tables *t, const ww_policy *p, ww_ask *a, ww_user *u, ww_device *d,
                uint64_t hash, int64_t now_ms, ww_open *open);
/* ---- pins.c and known.c ---- */

/* What is amiss beside a response, the reason or 0; whether a PIN spoils a code that is right. */
uint32_t ww_password_amiss(const ww_tables *t, const ww_attempt *a, const ww_event_in *in);
int ww_spoiled(const ww_tables *t, const ww_attempt *a, const ww_try *y);
int ww_answers_lock(const ww_tables *t, const ww_attempt *a, const ww_user *u);
void ww_put_answer(const ww_event_in *in, ww_record *out);
int ww_apply_pin(ww_tables *t, ww_user *u, const ww_record *r);
int ww_apply_question(ww_tables *t, const ww_record *r);
void ww_apply_answer(ww_tables *t, ww_user *u, const ww_record *r, int living);

/* ---- entry.c and shares.c ---- */

/* What becomes of an attempt without a response: a challenge is asked for first. But a push that it
 * names may have been decided, and then 0: the rules that follow say the rest. */
uint32_t ww_unanswered(const ww_event_in *in, uint32_t *reason);
int ww_same_codes(const ww_device *a, const ww_device *b);
/* Of the devices that one is shared with, in the order of their numbers: how many. */
uint32_t ww_sharers_of(const ww_tables *t, const ww_device *d, ww_device *sharers[WW_SHARERS_MAX]);
/* Whether it comes from where its user may not come from, or says no place where one is due. */
int ww_elsewhere(const ww_tables *t, const ww_attempt *a, const ww_event_in *in);
uint8_t ww_asks(const ww_attempt *a, const ww_event_in *in);
/* Whether an empty response is enough: the password was right, or somebody vouches for it. */
int ww_enters_bare(const ww_tables *t, const ww_policy *p, const ww_attempt *a,
                   const ww_event_in *in);
int ww_has_device(const ww_tables *t, ww_user *u);  /* a password and questions are none */
void ww_extra_drop(ww_tables *t, ww_user *u);
void ww_extra_place(ww_tables *t, ww_user *u, const ww_extra *x, const uint8_t *ranges, size_t len);
int ww_ranges_legal(const uint8_t *ranges, size_t len);
int ww_apply_entry(ww_tables *t, const ww_record *r);
static inline int ww_is_entry(uint32_t event)
{
    return event >= WW_EVENT_ADDRESSES && event <= WW_EVENT_WITHDRAWAL;
}
int ww_apply_share(ww_tables *t, ww_user *u, const ww_record *r);
static inline uint32_t ww_shared(const ww_device *d) { return d->wide ? ww_far_of(d)->shared : 0; }
/* What an address is charged for. */
static inline int ww_charges_source(const ww_attempt *a)
{
    return a->verdict == WW_REJECTED || a->verdict == WW_LOCKED || a->reason == WW_REASON_ADDRESS;
}

/* ---- life.c ---- */

/* Of an attempt: whether a device that is not active answers it all the same. */
int ww_answers_still(const ww_device *d, uint32_t event);
/* What has come due by the moment of an attempt is applied; 1: something had. Its record, which
 * goes before the attempt's: units. */
int ww_come_due(ww_tables *t, ww_user *u, int64_t now_ms);
uint32_t ww_due_record(const ww_tables *t, const ww_user *u, int64_t now_ms, ww_record *out);
int ww_apply_due(const ww_tables *t, ww_user *u, const ww_record *r);
int ww_apply_dates(ww_tables *t, ww_user *u, const ww_record *r);
void ww_device_set_dates(ww_user *u, ww_device *d, const ww_dates *dates);  /* it is wide */
int ww_dates_legal(const ww_dates *dates);
/* Of a temporary device that ended: it ran out, or another came. */
uint32_t ww_why_ended(const ww_device *d, int64_t at_ms);
/* Active from now on; what is temporary, and what it replaces, has ended. */
void ww_become_active(const ww_tables *t, ww_user *u, ww_device *d);
/* ---- floors.c ---- */

int ww_apply_floor(ww_tables *t, const ww_record *r);

/* ---- acts.c ---- */

ww_device *ww_device_widen(ww_tables *t, ww_user *u);

/* u is NULL for the act that adds the user of this slot. */
int ww_apply_act(ww_tables *t, ww_user *u, uint32_t slot, const ww_record *r);

/* ---- isa/portable.c ---- */

/* One block into one state, for messages that are not an eight-byte counter. */
void ww_sha1_block(uint32_t state[5], const uint8_t block[64]);
void ww_sha256_block(uint32_t state[8], const uint8_t block[64]);
void ww_sha512_block(uint64_t state[8], const uint8_t block[128]);

#define WW_ROW(isa)                                                                               \
    ww_hotp_many ww_hotp_sha1_many_##isa, ww_hotp_sha256_many_##isa, ww_hotp_sha512_many_##isa;   \
    ww_totp_many ww_totp_sha1_many_##isa;                                                         \
    ww_ocra_many ww_ocra_sha1_many_##isa;                                                         \
    ww_text_many ww_text_sha1_many_##isa, ww_text_sha256_many_##isa, ww_text_sha512_many_##isa

WW_ROW(portable);
#if defined(__x86_64__)
WW_ROW(sse2);
WW_ROW(avx2);
WW_ROW(avx512vl);
WW_ROW(avx512);
ww_hotp_many ww_hotp_sha1_many_shani, ww_hotp_sha256_many_shani;
#elif defined(__aarch64__)
WW_ROW(neon);
#endif

#endif
