/* What a turn (verify.c), its windows and lanes (match.c) and those of answers to challenges
 * (answers.c) share: the scratch of one group. Its size is fixed, and what of it a turn uses stays
 * in the cache; what secrets it held is wiped when the turn ends.
 */
#ifndef WATCHWORD_MATCH_H
#define WATCHWORD_MATCH_H

#include "internal.h"

enum { TRIES_MAX = 320, MET = 4 * WW_GROUP_ATTEMPTS_MAX, WITH_PIN = WW_KINDS };

typedef struct {
    ww_try tries[TRIES_MAX];
    uint16_t first[WW_GROUP_ATTEMPTS_MAX + 1];  /* tries of attempt i: first[i] .. first[i + 1] */
    uint8_t owner[TRIES_MAX];                   /* whose response a try is held against */
    const ww_device *source[TRIES_MAX];         /* midstates: the device's own, or a decoy's */
    /* passed_over: bits of WW_NOT_TRIED and on */
    uint8_t inactive[WW_GROUP_ATTEMPTS_MAX], passed_over[WW_GROUP_ATTEMPTS_MAX];
    uint8_t met[MET];                           /* by slot: attempts of the group, from 1        */
    /* The response as a number, and its length if it is digits alone, else 0; then the second. */
    uint32_t value[2][WW_GROUP_ATTEMPTS_MAX], digits[2][WW_GROUP_ATTEMPTS_MAX];
    /* lanes of one hash */
    const void *mids[WW_LANES_CHUNK];
    uint64_t moving[WW_LANES_CHUNK];
    uint32_t out[WW_LANES_CHUNK];
    uint32_t period_s;               /* the last step that was reckoned, and of which period */
    int64_t step;
    uint32_t lanes_used, tries_used; /* the most of any group: what there is to wipe */
    /* the tries whose devices stand at one step: their indices, and what they are held against */
    uint16_t same[WW_GROUP_ATTEMPTS_MAX];
    uint32_t want[WW_GROUP_ATTEMPTS_MAX], misfit[WW_GROUP_ATTEMPTS_MAX];
    uint8_t laid[TRIES_MAX];                    /* 1: done among those                          */
    uint32_t shared[WW_SHARED_STEPS_MAX][80];   /* of steps shared_from and on */
    const uint8_t *next[3 * WW_GROUP_ATTEMPTS_MAX]; /* users of the group that follows           */
    uint32_t named, found;                      /* attempts hashed, and looked for by hash       */
    uint64_t shared_from;
    uint32_t shared_count;
    /* OCRA: what its tries have besides, and messages for lanes of one hash and length */
    ww_answer answers[TRIES_MAX];
    uint8_t posed[WW_GROUP_ATTEMPTS_MAX][WW_POSED_CHARS_MAX]; /* questions that ids carry */
    uint32_t asked;                             /* kinds of the group's tries that are no plain
                                                 * counter or step, and WITH_PIN: a bit each     */
    uint32_t pushes;                            /* attempts of the group that name a push        */
    uint64_t texts[WW_TEXTS_CHUNK * (WW_TEXT_BYTES_MAX / 8)];
    uint32_t own[WW_OWN_WORDS][WW_TEXTS_CHUNK]; /* or the words that differ, of one suite        */
    const ww_suite *common_of;                  /* the last suite of such, or NULL               */
    ww_common common;
    uint16_t text_try[WW_TEXTS_CHUNK];
    uint8_t text_bit[WW_TEXTS_CHUNK];
    size_t texts_used;                          /* the most bytes of any call                    */
    uint16_t cards[WW_LANES_CHUNK / 2];         /* tries of code cards, two lanes each           */
    uint8_t pairs[TRIES_MAX][2];                /* and their cells                               */
    uint32_t filled, idle;                      /* lanes that were run, with a message and not   */
} ww_scratch;

/* So many lanes were run, so many times. Widths are powers of two. */
static inline void ww_lanes_ran(ww_scratch *s, uint32_t width, uint32_t lanes, uint32_t times)
{
    s->filled += lanes * times;
    s->idle += ((0u - lanes) & (width - 1)) * times;
}

/* The lines behind a wide device's own two are asked for: midstates of other hashes than SHA-1, and
 * what is kept of a passcode. By the time lanes are run they are here. */
static inline __attribute__((always_inline)) void ww_look_behind(const ww_device *d)
{
    const uint8_t *wide = (const uint8_t *)d;
    __builtin_prefetch(wide + 128);
    if (d->hash == WW_SHA512)
        __builtin_prefetch(wide + 192);
}

/* A try was laid that match.c leaves to another file: which of them looks for it. */
static inline void ww_is_laid(ww_scratch *s, const ww_device *source)
{
    s->asked |= 1u << source->kind | (uint32_t)source->prefix << WITH_PIN;
}

/* What an attempt on a store without users computes with: nobody's key. */
extern const ww_device ww_nobody;

/* Whose record a name that does not exist reads; there is at least one slot. */
static inline uint32_t ww_decoy_slot(const ww_tables *t, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * t->users_used) >> 32);
}

/* Adds the windows of attempt i to the tries of its group: of every active device, or of the one
 * that is named. */
void ww_lay_attempt(const ww_tables *t, const ww_batch *b, ww_attempt *a, ww_scratch *s, uint32_t i,
                    uint32_t *n, int64_t now_ms);
/* Runs the lanes of all tries and leaves in their masks which positions match. */
void ww_match_group(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                    ww_scratch *s, uint32_t tries);

static inline void ww_mask_set(ww_mask *m, uint32_t j, uint32_t bit)
{
    uint64_t v = (uint64_t)bit << (j & 63);
    m->lo |= j < 64 ? v : 0;
    m->hi |= j < 64 ? 0 : v;
}

/* The window of a plain counter or step, as try 0. */
void ww_lay_plain(ww_scratch *s, ww_device *d, int64_t now_ms);

/* ---- alone.c ---- */

/* Whoever a turn of one login asks for: a copy, and where it belongs. */
typedef struct {
    ww_user user;                /* or who stands in for a name that does not exist              */
    ww_user nowhere;             /* and where his device is put                                  */
    ww_user *home;               /* the user, or the decoy                                       */
    ww_streak *decoy;            /* the name's, if one is kept                                   */
    uint32_t known, kept;        /* 1 or 0: there is such a user; a streak is kept               */
} ww_alone;

/* A turn of one plain login; 0: it is none, and nothing was done. */
int ww_turn_alone(ww_tables *t, const ww_policy *p, ww_batch *b, ww_scratch *s, int64_t now_ms);
/* Its first two steps. */
int ww_alone_meet(ww_tables *t, const ww_policy *p, const ww_batch *b, ww_alone *who);
void ww_alone_match(const ww_tables *t, const ww_batch *b, ww_alone *who, ww_scratch *s,
                    int64_t now_ms);

/* ---- answers.c ---- */

/* Adds the window of an OCRA device, or with d NULL that of a decoy. */
void ww_lay_answer(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                   const ww_device *source, const ww_attempt *a, int overdue, int64_t now_ms);
/* The same for the challenge that any attempt may answer; 0 when none stands. */
int ww_lay_open(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                const ww_attempt *a, int64_t now_ms);
/* For the challenge that the attempt names, if it is this user's and stands. */
void ww_lay_named(const ww_tables *t, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                  uint32_t i, uint32_t *n, int64_t now_ms);
/* Runs their lanes. */
void ww_match_answers(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                      ww_scratch *s, uint32_t tries);
/* The message of position j, in words. */
void ww_lay_message(const ww_tables *t, const ww_batch *b, uint32_t group, const ww_scratch *s,
                    uint32_t n, uint32_t j, uint64_t *words);
/* 1 when the attempt's session fits the suite: one too long is never right. */
static inline uint32_t ww_session_fits(const ww_attempt *a, const ww_suite *suite)
{
    return !suite->session_bytes ||
           (uint32_t)a->second_len - a->challenge_len <= suite->session_bytes;
}

/* ---- alike.c ---- */

/* Runs the lanes of suites that enough tries of the group have, and that have own_words. */
void ww_match_alike(const ww_kernel *k, ww_scratch *s, uint32_t tries);

/* ---- push.c ---- */

/* For the push that the attempt names, if it is this user's: what has become of it. */
void ww_lay_push(const ww_tables *t, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                 uint32_t i, uint32_t *n, int64_t now_ms);
/* What the attempts of a decided group claimed is claimed. */
void ww_push_claims(ww_tables *t, ww_batch *b, uint32_t from, const ww_scratch *s, uint32_t group);

/* ---- codes.c ---- */

/* Adds the one position of a passcode, or of the code that was sent last; with d NULL a decoy's. */
void ww_lay_code(ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d, const ww_device *source,
                 const ww_attempt *a, int overdue);
/* The same where any attempt may be right; 0 when nothing was sent, or it has run out. */
int ww_lay_given(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                 const ww_attempt *a, int64_t now_ms);
/* Holds responses against passcodes; codes that were sent are counters like others. */
void ww_match_passcodes(const ww_tables *t, const ww_batch *b, uint32_t group, ww_scratch *s,
                        uint32_t tries);

/* ---- pins.c ---- */

/* A code without its PIN, as a number: verify.c's reading. */
void ww_read_code(const uint8_t *text, size_t len, uint32_t *value, uint32_t *digits);
/* Whether a PIN is compared when this device is tried, and the code that stands behind it. */
int ww_pin_typed(const ww_tables *t, const ww_attempt *a, const ww_device *d);
void ww_pin_code(const ww_batch *b, const ww_attempt *a, const ww_device *d, uint32_t *value,
                 uint32_t *digits);
/* Compares PINs, and runs the lanes of TOTP and HOTP devices that have one. */
void ww_match_pins(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                   ww_scratch *s, uint32_t tries);
int ww_has_pin(const ww_tables *t, const ww_device *d);
/* Whether a text is what is kept of one: its time tells the length. */
uint32_t ww_kept_is(const ww_tables *t, const uint8_t kept[WW_KEPT_BYTES], const uint8_t *text,
                    size_t len);

/* ---- known.c ---- */

void ww_lay_question(const ww_tables *t, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                     uint32_t i, uint32_t *n);
void ww_match_answered(const ww_tables *t, const ww_batch *b, uint32_t group, ww_scratch *s,
                       uint32_t tries);

/* ---- whole.c ---- */

/* Holds responses against whole HMACs, of the suites without digits. */
void ww_match_whole(const ww_tables *t, const ww_batch *b, uint32_t group, ww_scratch *s,
                    uint32_t tries);

/* ---- card.c ---- */

/* Whether it was asked for a pair that any attempt may answer: one has no time to run out in. */
int ww_card_open(const ww_device *d, uint32_t platform);
/* Adds the pair that a code card is asked for, or with d NULL that of a decoy. */
void ww_lay_card(ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d, const ww_device *source,
                 const ww_attempt *a);
void ww_match_cards(const ww_kernel *k, const ww_batch *b, uint32_t group, ww_scratch *s,
                    uint32_t tries);

#endif
