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
/* What a round adds: a word of each lane's own block, or of one block that all lanes share. */
#define SHA1_OWN(t, k) v_add(SHA1_WORD(t), v_set1(k))
#define SHA1_SHARED(t, k) v_set1(shared[t])
#define SHA1_PARITY(b, c, d) v_xor3(b, c, d)
#define SHA1_ROUND(a, b, c, d, e, f, word, k, t)                                                  \
    e = v_add(e, word(t, k));                                                                     \
    e = v_add(v_add(e, f(b, c, d)), v_rol(a, 5));                                                 \
    b = v_rol(b, 30);
#define SHA1_FIVE(f, word, k, t)                                                                  \
    SHA1_ROUND(a, b, c, d, e, f, word, k, t)                                                      \
    SHA1_ROUND(e, a, b, c, d, f, word, k, (t) + 1)                                                \
    SHA1_ROUND(d, e, a, b, c, f, word, k, (t) + 2)                                                \
    SHA1_ROUND(c, d, e, a, b, f, word, k, (t) + 3)                                                \
    SHA1_ROUND(b, c, d, e, a, f, word, k, (t) + 4)
#define SHA1_TWENTY(f, word, k, t)                                                                \
    SHA1_FIVE(f, word, k, t) SHA1_FIVE(f, word, k, (t) + 5) SHA1_FIVE(f, word, k, (t) + 10)       \
    SHA1_FIVE(f, word, k, (t) + 15)
#define SHA1_EIGHTY(word)                                                                         \
    SHA1_TWENTY(v_choose, word, 0x5a827999u, 0)                                                   \
    SHA1_TWENTY(SHA1_PARITY, word, 0x6ed9eba1u, 20)                                               \
    SHA1_TWENTY(v_major, word, 0x8f1bbcdcu, 40)                                                   \
    SHA1_TWENTY(SHA1_PARITY, word, 0xca62c1d6u, 60)                                               \
    state[0] = v_add(state[0], a);                                                                \
    state[1] = v_add(state[1], b);                                                                \
    state[2] = v_add(state[2], c);                                                                \
    state[3] = v_add(state[3], d);                                                                \
    state[4] = v_add(state[4], e);

/* state takes in the block w; w is used up. */
V_INLINE void sha1_compress(v_t state[5], v_t w[16])
{
    v_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], x;
    SHA1_EIGHTY(SHA1_OWN)
}

/* The same with a block that is every lane's: its 80 words, constants added, are ready. */
V_INLINE void sha1_compress_shared(v_t state[5], const uint32_t shared[80])
{
    v_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    SHA1_EIGHTY(SHA1_SHARED)
}

/* From inner and outer state to the truncation: the second hash of HMAC over the first's digest. */
V_INLINE v_t sha1_outer(const v_t inner[5], v_t outer[5])
{
    v_t w[16];
    for (int i = 0; i < 5; i++)
        w[i] = inner[i];
    w[5] = v_set1(0x80000000u);
    for (int i = 6; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((64 + 20) * 8);
    sha1_compress(outer, w);
    return truncate_words32(outer, outer[4]);
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

    v_t code = sha1_outer(mid, mid + 5);
    v_store_low32(out, code);
}

void ROW(ww_hotp_sha1_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                            size_t n)
{
    hotp_many(sha1_hotp, LANES, mids, moving, out, n);
}

static void sha1_text(const void *const *mids, const void *const *texts, size_t blocks,
                      uint32_t *out)
{
    v_t mid[10], w[16];
    v_columns(mid, mids, 10);
    size_t b = 0;
    do { /* a text has at least the block of its padding */
        const void *at[LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            at[lane] = (const uint8_t *)texts[lane] + b * 64;
        v_columns(w, at, 16);
        sha1_compress(mid, w);
    } while (++b < blocks);
    v_t code = sha1_outer(mid, mid + 5);
    v_store_low32(out, code);
}

void ROW(ww_text_sha1_many)(const void *const *mids, const void *const *texts, size_t blocks,
                            uint32_t *out, size_t n)
{
    text_many(sha1_text, LANES, mids, texts, blocks, out, n);
}

_Static_assert(WW_SIDE_BY_SIDE % LANES == 0, "windows side by side leave no ragged end");

/* The next of counters that stand in three words: what is added to the third, or else the second,
 * is carried on, and never beyond the first. A sum is small: it overflows when the top bit goes. */
V_INLINE void sha1_next_counters(v_t word[WW_COUNTER_WORDS], const uint32_t one[2])
{
    v_t third = v_add(word[2], v_set1(one[1]));
    v_t carried = v_add(v_set1(one[0]), v_shr(v_andnot(third, word[2]), 31));
    v_t second = v_add(word[1], carried);
    word[0] = v_add(word[0], v_shr(v_andnot(second, word[1]), 31));
    word[1] = second;
    word[2] = third;
}

/* One vector of answers to one suite's challenges, at each of `steps` counters: a block with words
 * of their own, then blocks that are everybody's. */
static void sha1_ocra(const void *const *mids, const uint32_t *own, size_t stride, size_t own_at,
                      const ww_common *common, size_t steps, uint32_t *out, size_t apart)
{
    v_t mids_of[10], block[16];
    v_columns(mids_of, mids, 10);
    for (int i = 0; i < 16; i++)
        block[i] = v_set1(common->words[i]);
    for (size_t k = 0; k < WW_OWN_WORDS; k++)
        memcpy(&block[own_at + k], own + k * stride, sizeof block[0]);
    for (size_t j = 0; j < steps; j++) {
        v_t mid[10], w[16];
        for (int i = 0; i < 10; i++)
            mid[i] = mids_of[i];
        for (int i = 0; i < 16; i++) /* words that are indexed by numbers alone stay in registers */
            w[i] = block[i];
        sha1_compress(mid, w);
        _Static_assert(WW_SHARED_BLOCKS == 2, "one line for each: a loop of two is kept as a flag");
        sha1_compress_shared(mid, common->shared[0]);
        sha1_compress_shared(mid, common->shared[1]);
        v_store_low32(out + j * apart, sha1_outer(mid, mid + 5));
        sha1_next_counters(&block[own_at + common->counter], common->one);
    }
}

void ROW(ww_ocra_sha1_many)(const void *const *mids, const uint32_t *own, size_t stride,
                            size_t own_at, const ww_common *common, size_t steps, uint32_t *out,
                            size_t n)
{
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        sha1_ocra(mids + i, own + i, stride, own_at, common, steps, out + i, n);
    if (i == n)
        return;
    const void *tail_mids[LANES]; /* at one counter: several come in whole vectors */
    uint32_t tail_own[WW_OWN_WORDS * LANES] = {0}, tail_out[LANES];
    for (size_t lane = 0; lane < LANES; lane++)
        tail_mids[lane] = mids[i + lane < n ? i + lane : i];
    for (size_t k = 0; k < WW_OWN_WORDS; k++)
        memcpy(tail_own + k * LANES, own + k * stride + i, (n - i) * sizeof *own);
    sha1_ocra(tail_mids, tail_own, LANES, own_at, common, 1, tail_out, 0);
    memcpy(out + i, tail_out, (n - i) * sizeof *out);
    ww_wipe(tail_out, sizeof tail_out);
}

/* One vector of devices at `steps` counters in a row, each with its shared words. */
static void sha1_totp(const void *const *mids, const uint32_t (*shared)[80], size_t steps,
                      uint32_t *out, size_t stride)
{
    v_t mid[10];
    v_columns(mid, mids, 10);
    for (size_t j = 0; j < steps; j++) {
        v_t inner[5], outer[5];
        for (int i = 0; i < 5; i++) {
            inner[i] = mid[i];
            outer[i] = mid[5 + i];
        }
        sha1_compress_shared(inner, shared[j]);
        v_store_low32(out + j * stride, sha1_outer(inner, outer));
    }
}

void ROW(ww_totp_sha1_many)(const void *const *mids, size_t n, const uint32_t (*shared)[80],
                            size_t steps, uint32_t *out)
{
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        sha1_totp(mids + i, shared, steps, out + i, n);
    if (i == n)
        return;
    const void *tail_mids[LANES];
    uint32_t tail_out[WW_SHARED_STEPS_MAX * LANES];
    for (size_t lane = 0; lane < LANES; lane++)
        tail_mids[lane] = mids[i + lane < n ? i + lane : i];
    sha1_totp(tail_mids, shared, steps, tail_out, LANES);
    for (size_t j = 0; j < steps; j++)
        memcpy(out + j * n + i, tail_out + j * LANES, (n - i) * sizeof *out);
    ww_wipe(tail_out, sizeof tail_out);
}
