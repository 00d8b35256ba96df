/* Every row of the kernel table at every ragged size, in buffers of exactly the bytes they need.
 *
 * tests/test_lanes.py builds it under the sanitizers and for AArch64, tests/timing with secrets
 * marked for valgrind. It prints the rows it ran and ends with 1 when one differs from the plain
 * HMAC or from the RFCs. With an argument it makes a branch from a secret and stops: valgrind must
 * say.
 */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

enum { MOST = 70 };

static uint32_t random_word(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static uint32_t plain(ww_hash hash, const uint8_t *key, size_t key_len, uint64_t moving)
{
    uint8_t text[8], mac[64];
    ww_store_be64(text, moving);
    ww_hmac(hash, key, key_len, text, sizeof text, mac);
    return ww_truncate(mac, ww_hash_bytes(hash));
}

/* RFC 4226 appendix D, RFC 6238 appendix B at 59 seconds: the key's digits, as long as the hash. */
static int published(void)
{
    static const uint32_t sha1[3] = {1284755224u, 1094287082u, 137359152u};
    const uint8_t *key = (const uint8_t *)"1234567890123456789012345678901234567890123456789012345678"
                                          "901234";
    int wrong = 0;
    for (uint64_t moving = 0; moving < 3; moving++)
        wrong |= plain(WW_SHA1, key, 20, moving) != sha1[moving];
    wrong |= ww_reduce(plain(WW_SHA256, key, 32, 1), 8) != 46119246u;
    wrong |= ww_reduce(plain(WW_SHA512, key, 64, 1), 8) != 90693936u;
    return wrong;
}

/* Devices at shared steps, against the same row's lanes of their own; the top bits of a step too. */
static int sweep_shared(const ww_kernel *row, const void *const *mids)
{
    enum { STEPS = WW_SHARED_STEPS_MAX };
    int wrong = 0;
    for (size_t n = 0; n <= MOST; n++) {
        size_t steps = 1 + n % STEPS;
        uint64_t first = (uint64_t)random_word() << n % 41, moving[MOST];
        uint32_t shared[STEPS][80], own[MOST];
        for (size_t j = 0; j < steps; j++)
            ww_sha1_shared(first + j, shared[j]);
        uint32_t *out = malloc(n * steps * sizeof *out + 1);
        row->totp(mids, n, (const uint32_t (*)[80])shared, steps, out);
        for (size_t j = 0; j < steps; j++) {
            for (size_t i = 0; i < n; i++)
                moving[i] = first + j;
            row->hotp[WW_SHA1](mids, moving, own, n);
            uint32_t same = ww_equal((uint8_t *)(out + j * n), (uint8_t *)own, n * sizeof *own);
            WW_PUBLIC(&same, sizeof same);
            wrong |= !same;
        }
        free(out);
    }
    return wrong;
}

/* Texts of one to six blocks, as the machine keeps their words, against the plain HMAC. */
static int sweep_texts(const ww_kernel *row, ww_hash hash)
{
    enum { LANES = 37, BLOCK = 128, BLOCKS = 6 };
    size_t block = hash == WW_SHA512 ? 128 : 64, flip = hash == WW_SHA512 ? 7 : 3;
    int wrong = 0;
    for (size_t n = 0; n <= LANES; n++) {
        size_t blocks = 1 + n % BLOCKS, len = blocks * block - block / 8 - 1 - n % 9;
        const void *mids[LANES], *texts[LANES];
        uint32_t right[LANES], *out = malloc(n * sizeof *out + 1);
        for (size_t i = 0; i < n; i++) {
            uint8_t key[20], text[BLOCK * BLOCKS] = {0}, mac[64];
            uint8_t *words = malloc(blocks * block);
            void *mid = malloc(ww_mid_bytes(hash));
            for (size_t j = 0; j < sizeof key; j++)
                key[j] = (uint8_t)random_word();
            for (size_t j = 0; j < len; j++)
                text[j] = (uint8_t)random_word();
            ww_hmac(hash, key, sizeof key, text, len, mac);
            right[i] = ww_truncate(mac, ww_hash_bytes(hash));
            text[len] = 0x80;
            ww_store_be64(text + blocks * block - 8, (len + block) * 8);
            WW_SECRET(key, sizeof key);
            WW_SECRET(text, len);
            ww_hmac_mid(hash, key, sizeof key, mid);
            for (size_t j = 0; j < blocks * block; j++)
                words[j ^ flip] = text[j];
            mids[i] = mid;
            texts[i] = words;
        }
        row->text[hash](mids, texts, blocks, out, n);
        uint32_t same = ww_equal((uint8_t *)out, (uint8_t *)right, n * sizeof *out);
        WW_PUBLIC(&same, sizeof same);
        wrong |= !same;
        for (size_t i = 0; i < n; i++) {
            free((void *)(uintptr_t)mids[i]);
            free((void *)(uintptr_t)texts[i]);
        }
        free(out);
    }
    return wrong;
}

/* Answers of one suite, each at some counters: their own words anywhere in the first block, against
 * whole texts. */
static int sweep_ocra(const ww_kernel *row, const void *const *mids)
{
    enum { BLOCKS = 1 + WW_SHARED_BLOCKS };
    int wrong = 0;
    for (size_t n = 0; n <= MOST; n++) {
        size_t words = WW_OWN_WORDS, at = n % (16 - words + 1);
        size_t steps = n % WW_SIDE_BY_SIDE ? 1 : 1 + n / WW_SIDE_BY_SIDE % 4;
        uint32_t block[BLOCKS][16], texts[MOST][BLOCKS][16], right[MOST];
        const void *laid[MOST];
        ww_common common;
        uint32_t *own = malloc(n * words * sizeof *own + 1);
        uint32_t *out = malloc(steps * n * sizeof *out + 1);
        for (size_t i = 0; i < BLOCKS * 16; i++)
            block[i / 16][i % 16] = random_word();
        memcpy(common.words, block, sizeof common.words);
        for (size_t b = 0; b < WW_SHARED_BLOCKS; b++)
            ww_sha1_schedule(block[1 + b], common.shared[b]);
        common.counter = n % (words - WW_COUNTER_WORDS + 1);
        uint32_t *counters = own + common.counter * n, behind = n / 2 % 4 * 8;
        common.one[0] = !behind;
        common.one[1] = behind ? 1u << (32 - behind) : 0;
        for (size_t i = 0; i < n * words; i++)
            own[i] = random_word();
        for (size_t i = 0; i < n; i++) { /* no counter passes 2^64, and some pass whole words */
            counters[i] &= 0x7fffffffu;
            counters[n + i] |= i % 2 ? 0xffffffffu : 0;
            counters[2 * n + i] |= i % 3 ? 0xffffff00u : 0;
        }
        row->ocra(mids, own, n, at, &common, steps, out, n);
        for (size_t j = 0; j < steps; j++) {
            for (size_t i = 0; i < n; i++) {
                memcpy(texts[i], block, sizeof block);
                for (size_t k = 0; k < words; k++)
                    texts[i][0][at + k] = own[k * n + i];
                uint64_t sum = counters[2 * n + i] + (uint64_t)j * common.one[1];
                uint32_t *counter = &texts[i][0][at + common.counter];
                counter[2] = (uint32_t)sum;
                sum = counters[n + i] + (sum >> 32) + j * common.one[0];
                counter[1] = (uint32_t)sum;
                counter[0] += (uint32_t)(sum >> 32);
                laid[i] = texts[i];
            }
            row->text[WW_SHA1](mids, laid, BLOCKS, right, n);
            uint32_t same = ww_equal((uint8_t *)(out + j * n), (uint8_t *)right, n * sizeof *out);
            WW_PUBLIC(&same, sizeof same);
            wrong |= !same;
        }
        free(own);
        free(out);
    }
    return wrong;
}

static int sweep(const ww_kernel *row, ww_hash hash, int leak)
{
    const void *mids[MOST];
    uint64_t moving[MOST];
    uint32_t right[MOST];
    int wrong = 0;
    for (size_t i = 0; i < MOST; i++) {
        uint8_t key[64];
        size_t key_len = 1 + i % sizeof key;
        for (size_t j = 0; j < key_len; j++)
            key[j] = (uint8_t)random_word();
        moving[i] = (uint64_t)random_word() << i % 41;
        right[i] = plain(hash, key, key_len, moving[i]);
        WW_SECRET(key, key_len);
        void *mid = malloc(ww_mid_bytes(hash));
        ww_hmac_mid(hash, key, key_len, mid);
        mids[i] = mid;
    }
    for (size_t n = 0; n <= MOST; n++) {
        uint32_t *out = malloc(n * sizeof *out + 1);
        row->hotp[hash](mids, moving, out, n);
        if (leak && n == 1)
            exit(out[0] % 3 == 0);
        for (size_t i = 0; i < n; i++) {
            uint32_t same = ww_eq_u32(ww_reduce(out[i], 6), ww_reduce(right[i], 6));
            same &= ww_equal((uint8_t *)&out[i], (uint8_t *)&right[i], sizeof *out);
            same = (uint32_t)ww_select_u64(same, 1, 0);
            WW_PUBLIC(&same, sizeof same);
            wrong |= !same;
        }
        free(out);
    }
    if (hash == WW_SHA1 && row->totp != NULL)
        wrong |= sweep_shared(row, mids);
    if (hash == WW_SHA1)
        wrong |= sweep_ocra(row, mids);
    for (size_t i = 0; i < MOST; i++)
        free((void *)(uintptr_t)mids[i]);
    return wrong;
}

int main(int argc, char **argv)
{
    (void)argv;
    const ww_kernel *rows;
    size_t count = ww_kernels(&rows);
    int wrong = published();
    for (size_t i = 0; i < count; i++) {
        puts(rows[i].name);
        for (int hash = 0; hash < WW_HASHES; hash++)
            wrong |= sweep(&rows[i], (ww_hash)hash, argc > 1) |
                     sweep_texts(&rows[i], (ww_hash)hash);
    }
    return wrong;
}
