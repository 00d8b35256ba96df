/* Whole turns with every key, midstate and response marked secret: does one steer a branch, an
 * index, or what is recorded? Built with WATCHWORD_CHECK_SECRETS and run under valgrind.
 *
 * Keys are secret before they are enrolled, so what is made of them (midstates, codes, masks) is
 * secret by itself. Public are names, lengths, times, counters and figures of a device. Whether a
 * code matched becomes public in one place, where decide is given the masks: the linker puts
 * __wrap_ww_decide there (--wrap=ww_decide), and nothing else in this file takes a mark away but
 * where it says why. Each row of the table below must also get its verdict: a road that was not
 * walked proves nothing. Ends with 1 if one does not.
 */
#include "answers.h"
#include "cards.h"
#include "pushes.h"
#include "given.h"
#include "known.h"
#include "posed.h"

enum { NOW_S = 1700000010, KEY = 20, DIGITS = 6, CROWD = 40 };

uint32_t __real_ww_decide(const ww_tables *t, const ww_policy *p, ww_attempt *a,
                          const ww_event_in *in, int64_t now_ms, int alone, ww_record *out);
uint32_t __wrap_ww_decide(const ww_tables *t, const ww_policy *p, ww_attempt *a,
                          const ww_event_in *in, int64_t now_ms, int alone, ww_record *out);

static void mark_devices(const ww_tables *t, ww_user *u, int secret)
{
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
        if (secret)
            WW_SECRET(ww_device_mid(d), ww_mid_bytes((ww_hash)d->hash));
        else
            WW_PUBLIC(ww_device_mid(d), ww_mid_bytes((ww_hash)d->hash));
    }
}

/* The verdict is what a gateway is told, and it says whether a code matched, which position, and
 * whether that was used before: so the masks are public from here on, and nothing else is. But for
 * one thing: once a code was right, decide asks whether further devices of this user hold the same
 * key, to use it up on them too. That is a fact of enrolment, no guess can move it, and the records
 * show it: so for that user, and until decide returns, which midstates are equal is public. */
uint32_t __wrap_ww_decide(const ww_tables *t, const ww_policy *p, ww_attempt *a,
                          const ww_event_in *in, int64_t now_ms, int alone, ww_record *out)
{
    int right = 0;
    for (uint32_t i = 0; i < in->tries_count; i++) {
        WW_PUBLIC(&in->tries[i].mask, sizeof(ww_mask));
        WW_PUBLIC(&in->tries[i].second, sizeof(ww_mask));
        right |= (in->tries[i].mask.lo | in->tries[i].mask.hi) != 0;
    }
    int twins = right && in->user && in->user->devices > 1;
    if (twins)
        mark_devices(t, in->user, 0);
    uint32_t units = __real_ww_decide(t, p, a, in, now_ms, alone, out);
    if (twins)
        mark_devices(t, in->user, 1);
    return units;
}

/* ---- who there is ---- */

static const ww_spec totp1 = {.kind = WW_KIND_TOTP, .hash = WW_SHA1, .digits = 6, .back = 1,
                              .forward = 1, .period_s = 30, .drift_max = 2};
static const ww_spec totp256 = {.kind = WW_KIND_TOTP, .hash = WW_SHA256, .digits = 6, .back = 1,
                                .forward = 1, .period_s = 30};
static const ww_spec totp512 = {.kind = WW_KIND_TOTP, .hash = WW_SHA512, .digits = 6, .back = 1,
                                .forward = 1, .period_s = 30};
static const ww_spec hotp1 = {.kind = WW_KIND_HOTP, .hash = WW_SHA1, .digits = 6, .look_ahead = 100};
static const ww_spec hotp256 = {.kind = WW_KIND_HOTP, .hash = WW_SHA256, .digits = 6,
                                .look_ahead = 10};

static uint8_t key[KEY];

static void enrol(world *w, const char *name, uint8_t state, const ww_spec *first,
                  const ww_spec *second)
{
    uint32_t slot = world_user(w, name, state);
    if (first)
        world_device(w, slot, *first, key, KEY);
    if (second)
        world_device(w, slot, *second, key, KEY);
}

static void world_fill(world *w)
{
    world_open(w, 64);
    for (size_t i = 0; i < KEY; i++)
        key[i] = (uint8_t)(31 * i + 7);
    WW_SECRET(key, KEY);
    enrol(w, "alice", WW_OPEN, &totp1, NULL);
    enrol(w, "bob", WW_OPEN, &totp256, NULL);
    enrol(w, "carol", WW_OPEN, &totp512, NULL);
    enrol(w, "dave", WW_OPEN, &hotp1, NULL);
    enrol(w, "erin", WW_OPEN, &hotp256, NULL);
    enrol(w, "twins", WW_OPEN, &totp1, &totp1);
    enrol(w, "mixed", WW_OPEN, &hotp1, &totp256);
    enrol(w, "locked", WW_OPEN, &totp1, NULL);
    enrol(w, "closed", WW_CLOSED, &totp1, NULL);
    enrol(w, "bare", WW_OPEN, NULL, NULL);
    w->t.users[7].streak.lock_until_ms = (int64_t)NOW_S * 1000 + 3600000;
}

/* ---- what is typed ---- */

typedef struct {
    const char *name;
    uint8_t hash;
    uint64_t moving;             /* of the code typed */
    uint32_t off, len;           /* added to the code; bytes typed of it */
    uint8_t resync, verdict, reason;
} typed;

enum { STEP = NOW_S / 30 };

static const typed table[] = {
    {"alice", WW_SHA1, STEP, 1, 6, 0, WW_REJECTED, WW_REASON_WRONG},
    {"alice", WW_SHA1, STEP, 0, 5, 0, WW_REJECTED, WW_REASON_WRONG},
    {"alice", WW_SHA1, STEP, 0, 0, 0, WW_CHALLENGE, WW_REASON_EMPTY},
    {"alice", WW_SHA1, STEP, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"alice", WW_SHA1, STEP, 0, 6, 0, WW_REJECTED, WW_REASON_REPLAYED},
    {"alice", WW_SHA1, STEP + 3, 0, 6, 1, WW_ACCEPTED, WW_REASON_NONE},
    {"bob", WW_SHA256, STEP + 1, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"bob", WW_SHA256, STEP, 0, 6, 0, WW_REJECTED, WW_REASON_REPLAYED},
    {"carol", WW_SHA512, STEP - 1, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"carol", WW_SHA512, STEP, 7, 6, 0, WW_REJECTED, WW_REASON_WRONG},
    {"dave", WW_SHA1, 100, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"dave", WW_SHA1, 190, 0, 6, 1, WW_ACCEPTED, WW_REASON_NONE},
    {"erin", WW_SHA256, 3, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"erin", WW_SHA256, 3, 0, 6, 0, WW_REJECTED, WW_REASON_WRONG},
    {"twins", WW_SHA1, STEP, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"twins", WW_SHA1, STEP, 0, 6, 0, WW_REJECTED, WW_REASON_REPLAYED},
    {"mixed", WW_SHA256, STEP, 0, 6, 0, WW_ACCEPTED, WW_REASON_NONE},
    {"locked", WW_SHA1, STEP, 0, 6, 0, WW_LOCKED, WW_REASON_LOCKED},
    {"closed", WW_SHA1, STEP, 0, 6, 0, WW_NOT_PERMITTED, WW_REASON_ACCOUNT},
    {"bare", WW_SHA1, STEP, 0, 6, 0, WW_REJECTED, WW_REASON_NO_DEVICE},
    {"nobody", WW_SHA1, STEP, 0, 6, 0, WW_REJECTED, WW_REASON_UNKNOWN_USER},
};
enum { TABLE = sizeof table / sizeof table[0] };

static uint8_t codes[TABLE][2][16];

static void codes_make(void)
{
    for (size_t i = 0; i < TABLE; i++) {
        for (uint32_t which = 0; which < 2; which++) {
            uint32_t code = code_of((ww_hash)table[i].hash, key, KEY, table[i].moving + which,
                                    DIGITS);
            code_text(ww_reduce(code + table[i].off, DIGITS), DIGITS, codes[i][which]);
        }
    }
}

/* ---- the turn ---- */

static int turn_is_right(world *w, size_t from, size_t to)
{
    int wrong = 0;
    world_clear(w);
    for (size_t i = from; i < to; i++) {
        ww_attempt *a = world_attempt(w, table[i].name, codes[i][0], table[i].len);
        if (!table[i].resync)
            continue;
        a->event = WW_EVENT_RESYNC;
        a->second_len = DIGITS;
        a->second_at = world_keep(w, codes[i][1], DIGITS);
    }
    ww_turn(&w->t, &w->p, &w->b, (int64_t)NOW_S * 1000);
#ifdef WATCHWORD_CHECK_SECRETS
    /* What is told, recorded and kept may hang on masks alone: not a bit of it is secret. */
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.attempts, w->b.count * sizeof *w->b.attempts);
    (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
    for (uint32_t slot = 0; slot < w->t.users_used; slot++) {
        const ww_user *u = &w->t.users[slot];
        (void)VALGRIND_CHECK_MEM_IS_DEFINED(u, offsetof(ww_user, device.u));
        (void)VALGRIND_CHECK_MEM_IS_DEFINED(&u->streak, sizeof u->streak);
    }
    WW_PUBLIC(w->b.attempts, w->b.count * sizeof *w->b.attempts); /* said once is enough */
#endif
    for (size_t i = from; i < to; i++) {
        const ww_attempt *a = &w->b.attempts[i - from];
        if (a->verdict == table[i].verdict && a->reason == table[i].reason)
            continue;
        wrong = 1;
        printf("row %zu, %s: verdict %d, reason %d\n", i, table[i].name, a->verdict, a->reason);
    }
    return wrong;
}

/* Devices at one step, more than a vector of any row takes: their lanes share a schedule. */
static int crowd_is_right(void)
{
    world w;
    uint8_t right[DIGITS], wrong[DIGITS];
    int bad = 0;
    world_open(&w, CROWD);
    uint32_t code = code_of(WW_SHA1, key, KEY, STEP, DIGITS);
    code_text(code, DIGITS, right);
    code_text(ww_reduce(code + 1, DIGITS), DIGITS, wrong);
    for (int user = 0; user < CROWD; user++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", user);
        enrol(&w, name, WW_OPEN, &totp1, NULL);
        world_attempt(&w, name, user % 3 ? right : wrong, DIGITS);
    }
    ww_turn(&w.t, &w.p, &w.b, (int64_t)NOW_S * 1000);
    for (int user = 0; user < CROWD; user++)
        bad |= w.b.attempts[user].verdict != (user % 3 ? WW_ACCEPTED : WW_REJECTED);
    if (bad)
        puts("the crowd was judged wrongly");
    return bad;
}

/* Pages carry keys: they are copied, and no byte of one is looked at. */
static int page_is_right(world *w)
{
    world other;
    world_open(&other, 64);
    uint8_t *page = room(ww_page_identity_max(&w->t, 0), 1);
    size_t len = ww_page_identity_encode(&w->t, 0, page);
    int wrong = ww_page_identity_decode(&other.t, 0, page, len);
    return wrong | (other.t.users_used != w->t.users_used);
}

/* What the plain functions hotp, totp and ocra are made of, and the comparison of secrets. */
static int pieces_are_right(void)
{
    uint8_t text[96] = {'O', 'C', 'R', 'A'}, mac[64], copy[64];
    int wrong = 0;
    WW_SECRET(text + 8, 64); /* of OCRA's text the PIN's digest is secret, and the session may be */
    for (int hash = 0; hash < WW_HASHES; hash++) {
        size_t len = ww_hash_bytes((ww_hash)hash);
        ww_hmac((ww_hash)hash, key, KEY, text, sizeof text, mac);
        memcpy(copy, mac, len);
        uint32_t code = ww_reduce(ww_truncate(mac, len), 8);
        uint32_t same = ww_equal(mac, copy, len) & ww_eq_u32(code, code);
        copy[len - 1] ^= 1;
        same &= ww_equal(mac, copy, len) ^ 1u;
        same = (uint32_t)ww_select_u64(same, 1, 0);
        WW_PUBLIC(&same, sizeof same); /* this program's own verdict */
        wrong |= !same;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    const ww_kernel *rows;
    size_t count = ww_kernels(&rows);
    int wrong = pieces_are_right();
    for (size_t row = 0; row < count; row++) {
        if (argc > 1 && strcmp(argv[1], rows[row].name) != 0)
            continue;
        ww_kernel_force(rows[row].name);
        puts(rows[row].name);
        world one, many;
        world_fill(&one);
        world_fill(&many);
        codes_make();
        for (size_t i = 0; i < TABLE; i++)
            wrong |= turn_is_right(&one, i, i + 1);
        wrong |= turn_is_right(&many, 0, TABLE);
        wrong |= page_is_right(&one);
        wrong |= crowd_is_right();
        wrong |= challenges_are_right((int64_t)NOW_S * 1000);
        wrong |= given_are_right((int64_t)NOW_S * 1000);
        wrong |= cards_are_right((int64_t)NOW_S * 1000);
        wrong |= known_are_right((int64_t)NOW_S * 1000);
        wrong |= posed_are_right((int64_t)NOW_S * 1000);
        wrong |= pushes_are_right((int64_t)NOW_S * 1000);
    }
    return wrong;
}
