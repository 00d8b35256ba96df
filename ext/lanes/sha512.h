/* SHA-512 (FIPS 180-4 6.4) over one vector of LANES lanes of 64 bits, and HOTP from midstates.
 *
 * As lanes/sha1.h, with V_BITS 64. Rule: no branch and no index depends on what a lane holds.
 */
/* FIPS 180-4 4.2.3 */
static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu,
    0x3956c25bf348b538u, 0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u,
    0xd807aa98a3030242u, 0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
    0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u, 0xc19bf174cf692694u,
    0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
    0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u,
    0xc6e00bf33da88fc2u, 0xd5a79147930aa725u, 0x06ca6351e003826fu, 0x142929670a0e6e70u,
    0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
    0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u,
    0xd192e819d6ef5218u, 0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
    0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u,
    0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u,
    0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu,
    0xca273eceea26619cu, 0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u,
    0x06f067aa72176fbau, 0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
    0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu, 0x431d67c49c100d4cu,
    0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u};

#define SHA512_SIGMA(x, p, q, r) v_xor3(v_ror(x, p), v_ror(x, q), v_ror(x, r))
#define SHA512_DELTA(x, p, q, r) v_xor3(v_ror(x, p), v_ror(x, q), v_shr(x, r))
#define SHA512_WORD(t)                                                                            \
    ((t) < 16 ? w[(t) & 15]                                                                       \
              : (w[(t) & 15] = v_add(v_add(w[(t) & 15], w[((t) + 9) & 15]),                       \
                                     v_add(SHA512_DELTA(w[((t) + 1) & 15], 1, 8, 7),              \
                                           SHA512_DELTA(w[((t) + 14) & 15], 19, 61, 6)))))
#define SHA512_ROUND(a, b, c, d, e, f, g, h, t)                                                   \
    h = v_add(v_add(h, v_add(SHA512_WORD(t), v_set1(sha512_k[t]))),                                \
              v_add(SHA512_SIGMA(e, 14, 18, 41), v_choose(e, f, g)));                             \
    d = v_add(d, h);                                                                              \
    h = v_add(h, v_add(SHA512_SIGMA(a, 28, 34, 39), v_major(a, b, c)));
#define SHA512_EIGHT(t)                                                                           \
    SHA512_ROUND(a, b, c, d, e, f, g, h, t)                                                       \
    SHA512_ROUND(h, a, b, c, d, e, f, g, (t) + 1)                                                 \
    SHA512_ROUND(g, h, a, b, c, d, e, f, (t) + 2)                                                 \
    SHA512_ROUND(f, g, h, a, b, c, d, e, (t) + 3)                                                 \
    SHA512_ROUND(e, f, g, h, a, b, c, d, (t) + 4)                                                 \
    SHA512_ROUND(d, e, f, g, h, a, b, c, (t) + 5)                                                 \
    SHA512_ROUND(c, d, e, f, g, h, a, b, (t) + 6)                                                 \
    SHA512_ROUND(b, c, d, e, f, g, h, a, (t) + 7)

/* state takes in the block w; w is used up. */
V_INLINE void sha512_compress(v_t state[8], v_t w[16])
{
    v_t a = state[0], b = state[1], c = state[2], d = state[3];
    v_t e = state[4], f = state[5], g = state[6], h = state[7];
    SHA512_EIGHT(0) SHA512_EIGHT(8) SHA512_EIGHT(16) SHA512_EIGHT(24)
    SHA512_EIGHT(32) SHA512_EIGHT(40) SHA512_EIGHT(48) SHA512_EIGHT(56)
    SHA512_EIGHT(64) SHA512_EIGHT(72)
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
V_INLINE v_t sha512_outer(const v_t inner[8], v_t outer[8])
{
    v_t w[16];
    for (int i = 0; i < 8; i++)
        w[i] = inner[i];
    w[8] = v_set1(0x8000000000000000u);
    for (int i = 9; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((128 + 64) * 8);
    sha512_compress(outer, w);
    return truncate_words64(outer, outer[7]);
}

static void sha512_hotp(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    v_t mid[16], w[16];
    v_columns(mid, mids, 16);

    v_counter(&w[0], moving);
    w[1] = v_set1(0x8000000000000000u);
    for (int i = 2; i < 15; i++)
        w[i] = v_set1(0);
    w[15] = v_set1((128 + 8) * 8);
    sha512_compress(mid, w);

    v_t code = sha512_outer(mid, mid + 8);
    v_store_low32(out, code);
}

void ROW(ww_hotp_sha512_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                              size_t n)
{
    hotp_many(sha512_hotp, LANES, mids, moving, out, n);
}

static void sha512_text(const void *const *mids, const void *const *texts, size_t blocks,
                        uint32_t *out)
{
    v_t mid[16], w[16];
    v_columns(mid, mids, 16);
    size_t b = 0;
    do { /* a text has at least the block of its padding */
        const void *at[LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            at[lane] = (const uint8_t *)texts[lane] + b * 128;
        v_columns(w, at, 16);
        sha512_compress(mid, w);
    } while (++b < blocks);
    v_t code = sha512_outer(mid, mid + 8);
    v_store_low32(out, code);
}

void ROW(ww_text_sha512_many)(const void *const *mids, const void *const *texts, size_t blocks,
                              uint32_t *out, size_t n)
{
    text_many(sha512_text, LANES, mids, texts, blocks, out, n);
}
