/* SHA-1 (FIPS 180-4 6.1) over one vector of LANES lanes, and HOTP from stored midstates.
 *
 * Rounds stand here once; the including row says what a vector is (lanes/ops.h). Rule: no branch
 * and no index depends on what a lane holds. Everything is unrolled, so the message words that are
 * constant in our two fixed blocks fold away.
 */
#define SHA1_WORD(t)                                                                              \
    ((t) < 16 ? w[(t) & 15]                                                                       \
              : (x = v_xor(v_xor3(w[((t) + 13) & 15], w[((t) + 8) & 15], w[((t) + 2) & 15]),       \
                           w[(t) & 15]),                                                          \
                 w[(t) & 15] = v_rol(x, 1)))
#define SHA1_PARITY(b, c, d) v_xor3(b, c, d)
#define SHA1_ROUND(a, b, c, d, e, f, k, t)                                                        \
    e = v_add(e, v_add(SHA1_WORD(t), v_set1(k)));                                                 \
    e = v_add(v_add(e, f(b, c, d)), v_rol(a, 5));                                                 \
    b = v_rol(b, 30);
#define SHA1_FIVE(f, k, t)                                                                        \
    SHA1_ROUND(a, b, c, d, e, f, k, t)                                                            \
    SHA1_ROUND(e, a, b, c, d, f, k, (t) + 1)                                                      \
    SHA1_ROUND(d, e, a, b, c, f, k, (t) + 2)                                                      \
    SHA1_ROUND(c, d, e, a, b, f, k, (t) + 3)                                                      \
    SHA1_ROUND(b, c, d, e, a, f, k, (t) + 4)
#define SHA1_TWENTY(f, k, t)                                                                      \
    SHA1_FIVE(f, k, t) SHA1_FIVE(f, k, (t) + 5) SHA1_FIVE(f, k, (t) + 10)                         \
    SHA1_FIVE(f, k, (t) + 15)

/* state takes in the block w; w is used up. */
V_INLINE void sha1_compress(v_t state[5], v_t w[16])
{
    v_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], x;
    SHA1_TWENTY(v_choose, 0x5a827999u, 0)
    SHA1_TWENTY(SHA1_PARITY, 0x6ed9eba1u, 20)
    SHA1_TWENTY(v_major, 0x8f1bbcdcu, 40)
    SHA1_TWENTY(SHA1_PARITY, 0xca62c1d6u, 60)
    state[0] = v_add(state[0], a);
    state[1] = v_add(state[1], b);
    state[2] = v_add(state[2], c);
    state[3] = v_add(state[3], d);
    state[4] = v_add(state[4], e);
}

static void sha1_hotp(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    v_t mid[10], w[16];
    v_columns(mid, mids, 10);

    v_counters(&w[0], &w[1], moving);
    w[2] = v_set1(0x80000000u);
    for (int i = 3; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((64 + 8) * 8);
    sha1_compress(mid, w);

    for (int i = 0; i < 5; i++)
        w[i] = mid[i];
    w[5] = v_set1(0x80000000u);
    for (int i = 6; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((64 + 20) * 8);
    sha1_compress(mid + 5, w);

    v_store_low32(out, truncate_words32(mid + 5, mid[9]));
}

void ROW(ww_hotp_sha1_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                            size_t n)
{
    hotp_many(sha1_hotp, LANES, mids, moving, out, n);
}
