/* SHA-256 (FIPS 180-4 6.2) over one vector of LANES lanes, and HOTP from stored midstates.
 *
 * As lanes/sha1.h. Rule: no branch and no index depends on what a lane holds.
 */
#define SHA256_SIGMA(x, p, q, r) v_xor3(v_ror(x, p), v_ror(x, q), v_ror(x, r))
#define SHA256_DELTA(x, p, q, r) v_xor3(v_ror(x, p), v_ror(x, q), v_shr(x, r))
#define SHA256_WORD(t)                                                                            \
    ((t) < 16 ? w[(t) & 15]                                                                       \
              : (w[(t) & 15] = v_add(v_add(w[(t) & 15], w[((t) + 9) & 15]),                       \
                                     v_add(SHA256_DELTA(w[((t) + 1) & 15], 7, 18, 3),             \
                                           SHA256_DELTA(w[((t) + 14) & 15], 17, 19, 10)))))
#define SHA256_ROUND(a, b, c, d, e, f, g, h, k, t)                                                \
    h = v_add(v_add(h, v_add(SHA256_WORD(t), v_set1(k))),                                         \
              v_add(SHA256_SIGMA(e, 6, 11, 25), v_choose(e, f, g)));                              \
    d = v_add(d, h);                                                                              \
    h = v_add(h, v_add(SHA256_SIGMA(a, 2, 13, 22), v_major(a, b, c)));
#define SHA256_EIGHT(t, k0, k1, k2, k3, k4, k5, k6, k7)                                           \
    SHA256_ROUND(a, b, c, d, e, f, g, h, k0, t)                                                   \
    SHA256_ROUND(h, a, b, c, d, e, f, g, k1, (t) + 1)                                             \
    SHA256_ROUND(g, h, a, b, c, d, e, f, k2, (t) + 2)                                             \
    SHA256_ROUND(f, g, h, a, b, c, d, e, k3, (t) + 3)                                             \
    SHA256_ROUND(e, f, g, h, a, b, c, d, k4, (t) + 4)                                             \
    SHA256_ROUND(d, e, f, g, h, a, b, c, k5, (t) + 5)                                             \
    SHA256_ROUND(c, d, e, f, g, h, a, b, k6, (t) + 6)                                             \
    SHA256_ROUND(b, c, d, e, f, g, h, a, k7, (t) + 7)

/* state takes in the block w; w is used up. */
V_INLINE void sha256_compress(v_t state[8], v_t w[16])
{
    v_t a = state[0], b = state[1], c = state[2], d = state[3];
    v_t e = state[4], f = state[5], g = state[6], h = state[7];
    SHA256_EIGHT(0, 0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u,
                 0x923f82a4u, 0xab1c5ed5u)
    SHA256_EIGHT(8, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
                 0x9bdc06a7u, 0xc19bf174u)
    SHA256_EIGHT(16, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau,
                 0x5cb0a9dcu, 0x76f988dau)
    SHA256_EIGHT(24, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u,
                 0x06ca6351u, 0x14292967u)
    SHA256_EIGHT(32, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu,
                 0x81c2c92eu, 0x92722c85u)
    SHA256_EIGHT(40, 0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u,
                 0xf40e3585u, 0x106aa070u)
    SHA256_EIGHT(48, 0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au,
                 0x5b9cca4fu, 0x682e6ff3u)
    SHA256_EIGHT(56, 0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu,
                 0xbef9a3f7u, 0xc67178f2u)
    state[0] = v_add(state[0], a);
    state[1] = v_add(state[1], b);
    state[2] = v_add(state[2], c);
    state[3] = v_add(state[3], d);
    state[4] = v_add(state[4], e);
    state[5] = v_add(state[5], f);
    state[6] = v_add(state[6], g);
    state[7] = v_add(state[7], h);
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

    for (int i = 0; i < 8; i++)
        w[i] = mid[i];
    w[8] = v_set1(0x80000000u);
    for (int i = 9; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((64 + 32) * 8);
    sha256_compress(mid + 8, w);

    v_store_low32(out, truncate_words32(mid + 8, mid[15]));
}

void ROW(ww_hotp_sha256_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                              size_t n)
{
    hotp_many(sha256_hotp, LANES, mids, moving, out, n);
}
