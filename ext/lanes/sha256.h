/* SHA-256 (FIPS 180-4 6.2) over one vector of LANES lanes, and HOTP from stored midstates.
 *
 * As lanes/sha1.h. Rule: no branch and no index depends on what a lane holds.
 */
#include "sha256_k.h"

#define SHA256_SIGMA(x, p, q, r) v_xor3(v_ror(x, p), v_ror(x, q), v_ror(x, r))
#define SHA256_DELTA(x, p, q, r) v_xor3(v_ror(x, p), v_ror(x, q), v_shr(x, r))
#define SHA256_WORD(t)                                                                            \
    ((t) < 16 ? w[(t) & 15]                                                                       \
              : (w[(t) & 15] = v_add(v_add(w[(t) & 15], w[((t) + 9) & 15]),                       \
                                     v_add(SHA256_DELTA(w[((t) + 1) & 15], 7, 18, 3),             \
                                           SHA256_DELTA(w[((t) + 14) & 15], 17, 19, 10)))))
#define SHA256_ROUND(a, b, c, d, e, f, g, h, t)                                                   \
    h = v_add(v_add(h, v_add(SHA256_WORD(t), v_set1(sha256_k[t]))),                                \
              v_add(SHA256_SIGMA(e, 6, 11, 25), v_choose(e, f, g)));                              \
    d = v_add(d, h);                                                                              \
    h = v_add(h, v_add(SHA256_SIGMA(a, 2, 13, 22), v_major(a, b, c)));
#define SHA256_EIGHT(t)                                                                           \
    SHA256_ROUND(a, b, c, d, e, f, g, h, t)                                                       \
    SHA256_ROUND(h, a, b, c, d, e, f, g, (t) + 1)                                                 \
    SHA256_ROUND(g, h, a, b, c, d, e, f, (t) + 2)                                                 \
    SHA256_ROUND(f, g, h, a, b, c, d, e, (t) + 3)                                                 \
    SHA256_ROUND(e, f, g, h, a, b, c, d, (t) + 4)                                                 \
    SHA256_ROUND(d, e, f, g, h, a, b, c, (t) + 5)                                                 \
    SHA256_ROUND(c, d, e, f, g, h, a, b, (t) + 6)                                                 \
    SHA256_ROUND(b, c, d, e, f, g, h, a, (t) + 7)

/* state takes in the block w; w is used up. */
V_INLINE void sha256_compress(v_t state[8], v_t w[16])
{
    v_t a = state[0], b = state[1], c = state[2], d = state[3];
    v_t e = state[4], f = state[5], g = state[6], h = state[7];
    SHA256_EIGHT(0) SHA256_EIGHT(8) SHA256_EIGHT(16) SHA256_EIGHT(24)
    SHA256_EIGHT(32) SHA256_EIGHT(40) SHA256_EIGHT(48) SHA256_EIGHT(56)
    state[0] = v_add(state[0], a);
    state[1] = v_add(state[1], b);
    state[2] = v_add(state[2], c);
    state[3] = v_add(state[3], d);
    state[4] = v_add(state[4], e);
    state[5] = v_add(state[5], f);
    state[6] = v_add(state[6], g);
    state[7] = v_add(state[7], h);
}

/* From inner and outer state to the truncation, as sha1_outer. */
V_INLINE v_t sha256_outer(const v_t inner[8], v_t outer[8])
{
    v_t w[16];
    for (int i = 0; i < 8; i++)
        w[i] = inner[i];
    w[8] = v_set1(0x80000000u);
    for (int i = 9; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((64 + 32) * 8);
    sha256_compress(outer, w);
    return truncate_words32(outer, outer[7]);
}

static void sha256_hotp(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    v_t mid[16], w[16];
    v_columns(mid, mids, 16);

    v_counters(&w[0], &w[1], moving);
    w[2] = v_set1(0x80000000u);
    for (int i = 3; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((64 + 8) * 8);
    sha256_compress(mid, w);

    v_t code = sha256_outer(mid, mid + 8);
    v_store_low32(out, code);
}

void ROW(ww_hotp_sha256_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                              size_t n)
{
    hotp_many(sha256_hotp, LANES, mids, moving, out, n);
}

static void sha256_text(const void *const *mids, const void *const *texts, size_t blocks,
                        uint32_t *out)
{
    v_t mid[16], w[16];
    v_columns(mid, mids, 16);
    size_t b = 0;
    do { /* a text has at least the block of its padding */
        const void *at[LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            at[lane] = (const uint8_t *)texts[lane] + b * 64;
        v_columns(w, at, 16);
        sha256_compress(mid, w);
    } while (++b < blocks);
    v_t code = sha256_outer(mid, mid + 8);
    v_store_low32(out, code);
}

void ROW(ww_text_sha256_many)(const void *const *mids, const void *const *texts, size_t blocks,
                              uint32_t *out, size_t n)
{
    text_many(sha256_text, LANES, mids, texts, blocks, out, n);
}
