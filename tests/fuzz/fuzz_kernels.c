/* libFuzzer target for the rows of the kernel table, against an HMAC that shares no line with them:
 * libcrypto's. Every row this machine has, any hash, every ragged size, keys of any length, any
 * counters, steps that many devices share, and messages of several blocks; nothing is written past
 * the answers. What matches is held against the plainest of comparisons.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz.h"
#include "internal.h"

enum { MOST = 70, KEYS = 8, OUT = MOST * WW_SHARED_STEPS_MAX + 16 };

static _Alignas(64) uint32_t out[OUT];

static uint32_t plain_text(const EVP_MD *md, const uint8_t *key, size_t key_len,
                           const uint8_t *text, size_t text_len)
{
    uint8_t mac[64];
    unsigned int len = 0;
    HOLDS(HMAC(md, key, (int)key_len, text, text_len, mac, &len) != NULL);
    const uint8_t *at = mac + (mac[len - 1] & 15);
    return (uint32_t)(at[0] & 127) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t plain(const EVP_MD *md, const uint8_t *key, size_t key_len, uint64_t moving)
{
    uint8_t text[8];
    for (int i = 0; i < 8; i++)
        text[i] = (uint8_t)(moving >> (56 - 8 * i));
    return plain_text(md, key, key_len, text, sizeof text);
}

/* A counter where carries and signs change, or any. */
static uint64_t counter(source *s)
{
    uint8_t pick = (uint8_t)take(s, 1);
    uint64_t edge = (uint64_t)1 << pick % 64;
    return pick < 64 ? edge - 1 : pick < 128 ? edge : pick < 192 ? 0 - edge : take(s, 8);
}

static void expect(const char *name, int hash, const uint32_t *right, size_t n)
{
    for (size_t i = 0; i < OUT; i++) {
        if (out[i] == (i < n ? right[i] : 0xa5a5a5a5u))
            continue;
        fprintf(stderr, "row %s, hash %d: answer %zu of %zu differs\n", name, hash, i, n);
        abort();
    }
    memset(out, 0xa5, sizeof out);
}

/* The same devices at a few steps that they share. */
static void together(const ww_kernel *rows, size_t count, const void *const *mids, size_t n,
                     const uint8_t (*keys)[129], const size_t *key_len, const uint8_t *which,
                     uint64_t step, size_t steps)
{
    static uint32_t shared[WW_SHARED_STEPS_MAX][80], right[OUT];
    for (size_t j = 0; j < steps; j++) {
        ww_sha1_shared(step + j, shared[j]);
        for (size_t i = 0; i < n; i++)
            right[j * n + i] = plain(EVP_sha1(), keys[which[i]], key_len[which[i]], step + j);
    }
    for (size_t row = 0; row < count; row++) {
        if (!rows[row].totp)
            continue;
        rows[row].totp(mids, n, (const uint32_t (*)[80])shared, steps, out);
        expect(rows[row].name, WW_SHA1, right, n * steps);
    }
}

/* Texts of any bytes, of one number of blocks and each of a length of its own. */
static void texts(const ww_kernel *rows, size_t count, ww_hash hash, const EVP_MD *md,
                  const void *const *mids, size_t n, const uint8_t (*keys)[129],
                  const size_t *key_len, const uint8_t *which, size_t blocks, uint32_t *seed)
{
    enum { TEXT = WW_TEXT_BYTES_MAX };
    static uint64_t words[MOST][TEXT / 8];
    const void *laid[MOST];
    uint32_t right[MOST];
    size_t block = hash == WW_SHA512 ? 128 : 64, flip = hash == WW_SHA512 ? 7 : 3;
    size_t bytes = blocks * block, most = bytes - 1 - block / 8;
    for (size_t i = 0; i < n; i++) {
        uint8_t text[TEXT] = {0}, *to = (uint8_t *)words[i];
        size_t len = most - draw(seed) % (most < block ? most + 1 : block);
        for (size_t at = 0; at < len; at++)
            text[at] = (uint8_t)draw(seed);
        right[i] = plain_text(md, keys[which[i]], key_len[which[i]], text, len);
        text[len] = 0x80;
        ww_store_be64(text + bytes - 8, (len + block) * 8);
        for (size_t at = 0; at < bytes; at++)
            to[at ^ flip] = text[at];
        laid[i] = words[i];
    }
    for (size_t row = 0; row < count; row++) {
        rows[row].text[hash](mids, laid, blocks, out, n);
        expect(rows[row].name, (int)hash, right, n);
    }
}

static void match(const uint32_t *truncated, size_t n, uint32_t digits, uint32_t *seed)
{
    static const uint32_t modulo[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
                                      100000000, 1000000000};
    uint32_t want[MOST], misfit[MOST], right[MOST];
    for (size_t i = 0; i < n; i++) {
        uint32_t code = truncated[i] % modulo[digits];
        want[i] = draw(seed) % 2 ? code : code ^ 1u << draw(seed) % 32;
        misfit[i] = draw(seed) % 4 == 0 ? 1u << draw(seed) % 32 : 0;
        right[i] = want[i] == code && !misfit[i];
        HOLDS(ww_reduce(truncated[i], digits) == code);
    }
    ww_match_many(truncated, want, misfit, digits, out, n);
    expect("match", 0, right, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static union { uint64_t align; uint8_t bytes[128]; } mid[KEYS];
    const EVP_MD *digests[WW_HASHES] = {EVP_sha1(), EVP_sha256(), EVP_sha512()};
    const void *mids[MOST];
    uint64_t moving[MOST] = {0};
    uint32_t right[MOST];
    uint8_t which[MOST];
    source s = {bytes, bytes + size};
    uint32_t n = (uint32_t)take(&s, 1) % (MOST + 1), seed = (uint32_t)take(&s, 4);
    ww_hash hash = (ww_hash)(take(&s, 1) % WW_HASHES);
    uint8_t keys[KEYS][129];
    size_t key_len[KEYS];
    for (int k = 0; k < KEYS; k++) {
        key_len[k] = (size_t)take(&s, 1) % sizeof keys[k] + 1;
        for (size_t i = 0; i < key_len[k]; i++)
            keys[k][i] = (uint8_t)draw(&seed);
        ww_hmac_mid(hash, keys[k], key_len[k], mid[k].bytes);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint8_t k = which[i] = (uint8_t)(draw(&seed) % KEYS);
        moving[i] = s.at < s.end ? counter(&s) : draw(&seed);
        mids[i] = mid[k].bytes;
        right[i] = plain(digests[hash], keys[k], key_len[k], moving[i]);
    }
    const ww_kernel *rows;
    size_t count = ww_kernels(&rows);
    memset(out, 0xa5, sizeof out);
    for (size_t row = 0; row < count; row++) {
        rows[row].hotp[hash](mids, moving, out, n);
        expect(rows[row].name, (int)hash, right, n);
    }
    match(right, n, 6 + (uint32_t)take(&s, 1) % 3, &seed);
    if (hash == WW_SHA1 && n <= MOST / 4)
        together(rows, count, mids, n, (const uint8_t (*)[129])keys, key_len, which, moving[0],
                 1 + (size_t)take(&s, 1) % WW_SHARED_STEPS_MAX);
    size_t blocks = take(&s, 1) % (hash == WW_SHA512 ? 8 : 15); /* 0: none, and the rest is spared */
    if (blocks)
        texts(rows, count, hash, digests[hash], mids, n, (const uint8_t (*)[129])keys, key_len,
              which, blocks, &seed);
    return 0;
}
