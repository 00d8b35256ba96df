/* The kernel without the engine: the core's own rows, called in loops that nothing else slows down.
 *
 * Four loops: lanes whose midstates stay in the first cache; a table of many users read at random
 * with the kernel alone; the same with all that matching a code takes, by the core's public
 * functions; and a table of OCRA devices with all that matching an answer takes. The second is the
 * ceiling of the third, and all are of the engine's turn.
 */
#define _GNU_SOURCE /* madvise */
#include "watchword.h"

#include <string.h>
#include <sys/mman.h>

enum { GROUP = 64, STEPS = 3, KEY_BYTES = 20, STEP_S = 30 };

static const ww_kernel *row_named(const char *name)
{
    const ww_kernel *rows;
    for (size_t n = ww_kernels(&rows), i = 0; i < n; i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

/* ---- lanes ---- */

int lanes_run(const char *name, int hash, const void *const *mids, const uint64_t *moving,
              uint32_t *out, size_t n, size_t repeat)
{
    const ww_kernel *k = row_named(name);
    if (!k)
        return -1;
    for (; repeat; repeat--)
        k->hotp[hash](mids, moving, out, n);
    return 0;
}

void mids_of(int hash, const uint8_t *keys, size_t key_len, size_t n, uint8_t *mids)
{
    for (size_t i = 0; i < n; i++)
        ww_hmac_mid((ww_hash)hash, keys + key_len * i, key_len, mids + ww_mid_bytes((ww_hash)hash) * i);
}

/* ---- a table ---- */

/* splitmix64: a user's key is three words of it, so that any reader has the key of any user. */
static uint64_t word_of(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void table_key(uint64_t seed, uint64_t user, uint8_t key[KEY_BYTES])
{
    uint64_t words[3];
    for (uint64_t i = 0; i < 3; i++)
        words[i] = word_of(seed, 3 * user + i);
    memcpy(key, words, KEY_BYTES);
}

/* Users as the engine lays them out, each with a TOTP device, in huge pages where the system gives
 * them. The memory goes with the process. NULL: there is not enough. */
ww_user *table_make(uint64_t seed, size_t users)
{
    const size_t huge = (size_t)2 << 20;
    size_t bytes = users * sizeof(ww_user) + huge;
    uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    at += huge - (uintptr_t)at % huge;
    madvise(at, users * sizeof(ww_user), MADV_HUGEPAGE);
    ww_user *table = (ww_user *)(void *)at;
    for (size_t i = 0; i < users; i++) {
        ww_device *d = &table[i].device;
        uint8_t key[KEY_BYTES];
        table_key(seed, i, key);
        *d = (ww_device){.kind = WW_KIND_TOTP, .state = WW_ACTIVE, .hash = WW_SHA1, .digits = 6,
                         .period_s = STEP_S, .window = 0x11, .number = 1};
        ww_hmac_mid(WW_SHA1, key, sizeof key, d->u.sha1);
    }
    return table;
}

/* Where the midstates stand, for a peer that is given addresses. */
const void *table_mids(const ww_user *table) { return table->device.u.sha1; }
size_t table_stride(void) { return sizeof(ww_user); }

/* Lanes of a group that all stand at the steps from base on: out[STEPS * i + j] or, where the row has
 * a way for shared steps, out[count * j + i]. Returns how far apart a device's steps are in out. */
static size_t group_run(const ww_kernel *k, const void *const *devices, size_t count, uint64_t base,
                        const uint32_t (*shared)[80], uint32_t *out)
{
    if (k->totp) {
        k->totp(devices, count, shared, STEPS, out);
        return count;
    }
    const void *mids[GROUP * STEPS];
    uint64_t moving[GROUP * STEPS];
    for (size_t lane = 0; lane < STEPS * count; lane++) {
        mids[lane] = devices[lane / STEPS];
        moving[lane] = base + lane % STEPS;
    }
    k->hotp[WW_SHA1](mids, moving, out, STEPS * count);
    return 1;
}

static void shared_make(uint64_t base, uint32_t shared[STEPS][80])
{
    for (uint64_t j = 0; j < STEPS; j++)
        ww_sha1_shared(base + j, shared[j]);
}

/* The ceiling: three HMACs an attempt, and nothing is done with them but to add them up. */
uint64_t table_bare(const char *name, const ww_user *table, const uint32_t *users, size_t n,
                    int64_t now_s)
{
    const ww_kernel *k = row_named(name);
    const void *mids[GROUP];
    uint64_t base = (uint64_t)(now_s / STEP_S) - 1, sum = 0;
    uint32_t out[GROUP * STEPS], shared[STEPS][80];
    shared_make(base, shared);
    for (size_t from = 0; from < n; from += GROUP) {
        size_t count = n - from < GROUP ? n - from : GROUP;
        for (size_t i = 0; i < count; i++) {
            mids[i] = table[users[from + i]].device.u.sha1;
            if (from + GROUP + i < n)
                __builtin_prefetch(&table[users[from + GROUP + i]].device);
        }
        (void)group_run(k, mids, count, base, (const uint32_t (*)[80])shared, out);
        for (size_t lane = 0; lane < STEPS * count; lane++)
            sum += out[lane];
    }
    return sum;
}

/* Matching alone: windows from the device's figures, HMACs, codes, and which positions match. Every
 * device of this table stands at one step; one that did not would end the run. */
int table_match(const char *name, const ww_user *table, const uint32_t *users,
                const uint32_t *codes, size_t n, int64_t now_s, uint8_t *masks)
{
    const ww_kernel *k = row_named(name);
    const void *mids[GROUP];
    uint32_t out[GROUP * STEPS], turned[GROUP * STEPS], shared[STEPS][80];
    uint32_t misfit[GROUP], hit[GROUP];
    const ww_device *first = &table[0].device;
    int64_t base = ww_step_now(first, now_s * 1000) - (first->window >> 4) + first->drift;
    shared_make((uint64_t)base, shared);
    memset(misfit, 0, sizeof misfit);
    for (size_t from = 0; from < n; from += GROUP) {
        size_t count = n - from < GROUP ? n - from : GROUP;
        uint32_t odd = 0;
        for (size_t i = 0; i < count; i++) {
            const ww_device *d = &table[users[from + i]].device;
            odd |= (uint32_t)(d->period_s ^ first->period_s) | (uint32_t)(d->window ^ first->window) |
                   (uint32_t)(d->drift ^ first->drift) | (uint32_t)(d->digits ^ first->digits);
            mids[i] = ww_device_mid(d);
            masks[from + i] = 0;
            if (from + GROUP + i < n)
                __builtin_prefetch(&table[users[from + GROUP + i]].device);
        }
        if (odd)
            return -1;
        const uint32_t *at = out;
        if (group_run(k, mids, count, (uint64_t)base, (const uint32_t (*)[80])shared, out) == 1) {
            for (size_t lane = 0; lane < STEPS * count; lane++)
                turned[lane % STEPS * count + lane / STEPS] = out[lane];
            at = turned;
        }
        for (uint32_t j = 0; j < STEPS; j++) {
            ww_match_many(at + j * count, codes + from, misfit, first->digits, hit, count);
            for (size_t i = 0; i < count; i++)
                masks[from + i] |= (uint8_t)(hit[i] << j);
        }
    }
    return 0;
}

/* ---- answers to challenges ---- */

/* Devices of one suite as the engine lays them out, keys of KEY_BYTES each. NULL: no memory, or no
 * suite whose messages differ in a few words alone. */
ww_wide *ocra_make(const ww_suite *suite, const uint8_t *keys, size_t n)
{
    const size_t huge = (size_t)2 << 20;
    if (!suite->own_words)
        return NULL;
    uint8_t *at = mmap(NULL, n * sizeof(ww_wide) + huge, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    at += huge - (uintptr_t)at % huge;
    madvise(at, n * sizeof(ww_wide), MADV_HUGEPAGE);
    ww_wide *table = (ww_wide *)(void *)at;
    for (size_t i = 0; i < n; i++) {
        table[i].line = (ww_device){.kind = WW_KIND_OCRA, .state = WW_ACTIVE, .hash = WW_SHA1,
                                    .wide = 1, .digits = suite->digits & 15u, .number = 1};
        ww_hmac_mid(WW_SHA1, keys + KEY_BYTES * i, KEY_BYTES, table[i].line.u.sha1);
    }
    return table;
}

size_t ocra_suite_bytes(void) { return sizeof(ww_suite); }

/* Puts a question to every device, of as many characters as the suite has. */
void ocra_ask(const ww_suite *suite, ww_wide *table, const uint8_t *questions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t *to = table[i].issue.question[WW_TRADING];
        memset(to, 0, WW_QUESTION_INLINE_BYTES);
        ww_question_pack(suite, questions + suite->chars * i, suite->chars, to);
    }
}

/* Messages, HMACs, codes, and which of them were typed, in groups as the engine has. */
int ocra_match(const char *name, const ww_suite *suite, const ww_wide *table,
               const uint32_t *devices, const uint32_t *typed, size_t n, uint8_t *hits)
{
    const ww_kernel *k = row_named(name);
    const void *mids[GROUP];
    uint32_t own[WW_OWN_WORDS][GROUP], out[GROUP], hit[GROUP], misfit[GROUP] = {0};
    ww_common common;
    if (!k)
        return -1;
    ww_suite_common(suite, &common, own[0], GROUP);
    for (size_t from = 0; from < n; from += GROUP) {
        size_t count = n - from < GROUP ? n - from : GROUP;
        for (size_t i = 0; i < count; i++) {
            const ww_wide *w = &table[devices[from + i]];
            mids[i] = ww_device_mid(&w->line);
            ww_suite_own(suite, w->line.moving, w->issue.question[WW_TRADING], &own[0][i], GROUP);
            if (from + GROUP + i < n) {
                __builtin_prefetch(&table[devices[from + GROUP + i]].line);
                __builtin_prefetch(&table[devices[from + GROUP + i]].issue);
            }
        }
        k->ocra(mids, own[0], GROUP, suite->own_at, &common, 1, out, count);
        ww_match_many(out, typed + from, misfit, suite->digits, hit, count);
        for (size_t i = 0; i < count; i++)
            hits[from + i] = (uint8_t)hit[i];
    }
    return 0;
}
