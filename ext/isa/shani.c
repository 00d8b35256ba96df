/* SHA-1 and SHA-256 on the SHA extensions of x86: whole rounds as instructions, one message a
 * register. SHA-512 has none there; its entry stays the portable one.
 *
 * A round's instruction waits for the one before, so four messages go side by side, and what is
 * left goes one by one. Rule: as everywhere, no branch and no index from what a lane holds.
 */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sha,sse4.1,ssse3"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("sha,sse4.1,ssse3")
#endif
#include <immintrin.h>

#include "../internal.h"

#define ROW(name) name##_shani
#define LANES 4

/* The truncation is a plain word's; only it needs the operations. */
#define V_BITS 32
#define v_t uint32_t
#define v_set1(k) ((v_t)(k))
#include "../lanes/ops.h"

#include "../lanes/many.h"
#include "../lanes/sha256_k.h"
#include "../lanes/truncate.h"

/* lanes is a literal wherever this unrolls: LANES, or 1. */
#define EACH_LANE for (int lane = 0; lane < lanes; lane++)

/* ---- SHA-1: abcd with a on top, e on top of a register of its own ---------------------------- */

typedef struct { __m128i abcd[LANES], e[LANES]; } sha1_lanes;

/* Four rounds. m[t & 3] holds the words of these rounds; the schedule runs three steps ahead. */
#define SHA1_FOUR(t, f)                                                                           \
    EACH_LANE {                                                                                   \
        __m128i *m = w[lane];                                                                     \
        __m128i e = (t) == 0 ? _mm_add_epi32(now.e[lane], m[0])                                   \
                             : _mm_sha1nexte_epu32(now.e[lane], m[(t) & 3]);                      \
        now.e[lane] = now.abcd[lane];                                                             \
        now.abcd[lane] = _mm_sha1rnds4_epu32(now.abcd[lane], e, f);                               \
        if ((t) >= 3 && (t) < 19)                                                                 \
            m[((t) + 1) & 3] = _mm_sha1msg2_epu32(m[((t) + 1) & 3], m[(t) & 3]);                  \
        if ((t) >= 1 && (t) < 17)                                                                 \
            m[((t) - 1) & 3] = _mm_sha1msg1_epu32(m[((t) - 1) & 3], m[(t) & 3]);                  \
        if ((t) >= 2 && (t) < 18)                                                                 \
            m[((t) - 2) & 3] = _mm_xor_si128(m[((t) - 2) & 3], m[(t) & 3]);                       \
    }
#define SHA1_FIVE_FOURS(t, f)                                                                     \
    SHA1_FOUR(t, f) SHA1_FOUR((t) + 1, f) SHA1_FOUR((t) + 2, f) SHA1_FOUR((t) + 3, f)             \
    SHA1_FOUR((t) + 4, f)

V_INLINE void sha1_compress(int lanes, sha1_lanes *state, __m128i w[LANES][4])
{
    sha1_lanes now = *state;
    SHA1_FIVE_FOURS(0, 0)
    SHA1_FIVE_FOURS(5, 1)
    SHA1_FIVE_FOURS(10, 2)
    SHA1_FIVE_FOURS(15, 3)
    EACH_LANE {
        state->e[lane] = _mm_sha1nexte_epu32(now.e[lane], state->e[lane]);
        state->abcd[lane] = _mm_add_epi32(now.abcd[lane], state->abcd[lane]);
    }
}

V_INLINE void sha1_load(int lanes, sha1_lanes *state, const void *const *mids, size_t word)
{
    EACH_LANE {
        const uint8_t *at = (const uint8_t *)mids[lane] + 4 * word;
        state->abcd[lane] = _mm_shuffle_epi32(_mm_loadu_si128((const void *)at), 0x1b);
        state->e[lane] = _mm_set_epi32((int)ww_load_le32(at + 16), 0, 0, 0);
    }
}

/* The counter's two words on top of the block's first register. */
V_INLINE __m128i counter_words(uint64_t moving)
{
    return _mm_set_epi32((int)(moving >> 32), (int)moving, (int)0x80000000u, 0);
}

V_INLINE void sha1_hotp(int lanes, const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    sha1_lanes state, outer;
    __m128i w[LANES][4];
    sha1_load(lanes, &state, mids, 0);
    sha1_load(lanes, &outer, mids, 5);
    EACH_LANE {
        w[lane][0] = counter_words(moving[lane]);
        w[lane][1] = w[lane][2] = _mm_setzero_si128();
        w[lane][3] = _mm_set_epi32(0, 0, 0, (64 + 8) * 8);
    }
    sha1_compress(lanes, &state, w);
    EACH_LANE {
        w[lane][0] = state.abcd[lane];
        w[lane][1] = _mm_or_si128(state.e[lane], _mm_set_epi32(0, (int)0x80000000u, 0, 0));
        w[lane][2] = _mm_setzero_si128();
        w[lane][3] = _mm_set_epi32(0, 0, 0, (64 + 20) * 8);
    }
    sha1_compress(lanes, &outer, w);
    EACH_LANE {
        uint32_t h[5];
        _mm_storeu_si128((void *)h, _mm_shuffle_epi32(outer.abcd[lane], 0x1b));
        h[4] = (uint32_t)_mm_extract_epi32(outer.e[lane], 3);
        out[lane] = truncate_words32(h, h[4]);
    }
}

static void sha1_four(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    sha1_hotp(LANES, mids, moving, out);
}

static void sha1_one(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    sha1_hotp(1, mids, moving, out);
}

void ROW(ww_hotp_sha1_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                            size_t n)
{
    size_t fours = n - n % LANES;
    hotp_many(sha1_four, LANES, mids, moving, out, fours);
    hotp_many(sha1_one, 1, mids + fours, moving + fours, out + fours, n - fours);
}

/* ---- SHA-256: a, b, e, f in one register and c, d, g, h in the other ------------------------- */

typedef struct { __m128i abef[LANES], cdgh[LANES]; } sha256_lanes;

/* Four rounds; the schedule again runs three steps ahead. */
#define SHA256_FOUR(t)                                                                            \
    EACH_LANE {                                                                                   \
        __m128i *m = w[lane];                                                                     \
        __m128i k = _mm_loadu_si128((const void *)(sha256_k + 4 * (t)));                          \
        __m128i x = _mm_add_epi32(m[(t) & 3], k);                                                 \
        now.cdgh[lane] = _mm_sha256rnds2_epu32(now.cdgh[lane], now.abef[lane], x);                \
        if ((t) >= 3 && (t) < 15) {                                                               \
            __m128i between = _mm_alignr_epi8(m[(t) & 3], m[((t) - 1) & 3], 4);                   \
            m[((t) + 1) & 3] = _mm_add_epi32(m[((t) + 1) & 3], between);                          \
            m[((t) + 1) & 3] = _mm_sha256msg2_epu32(m[((t) + 1) & 3], m[(t) & 3]);                \
        }                                                                                         \
        now.abef[lane] =                                                                          \
            _mm_sha256rnds2_epu32(now.abef[lane], now.cdgh[lane], _mm_shuffle_epi32(x, 0x0e));    \
        if ((t) >= 1 && (t) < 13)                                                                 \
            m[((t) - 1) & 3] = _mm_sha256msg1_epu32(m[((t) - 1) & 3], m[(t) & 3]);                \
    }
#define SHA256_FOUR_FOURS(t) SHA256_FOUR(t) SHA256_FOUR((t) + 1) SHA256_FOUR((t) + 2)             \
    SHA256_FOUR((t) + 3)

V_INLINE void sha256_compress(int lanes, sha256_lanes *state, __m128i w[LANES][4])
{
    sha256_lanes now = *state;
    SHA256_FOUR_FOURS(0)
    SHA256_FOUR_FOURS(4)
    SHA256_FOUR_FOURS(8)
    SHA256_FOUR_FOURS(12)
    EACH_LANE {
        state->abef[lane] = _mm_add_epi32(now.abef[lane], state->abef[lane]);
        state->cdgh[lane] = _mm_add_epi32(now.cdgh[lane], state->cdgh[lane]);
    }
}

V_INLINE void sha256_load(int lanes, sha256_lanes *state, const void *const *mids, size_t word)
{
    EACH_LANE {
        const uint8_t *at = (const uint8_t *)mids[lane] + 4 * word;
        __m128i dcba = _mm_loadu_si128((const void *)at);
        __m128i hgfe = _mm_loadu_si128((const void *)(at + 16));
        __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
        state->abef[lane] = _mm_alignr_epi8(cdab, efgh, 8);
        state->cdgh[lane] = _mm_blend_epi16(efgh, cdab, 0xf0);
    }
}

/* Back to the order of the words: a, b, c, d and e, f, g, h from the low end. */
V_INLINE void sha256_words(const sha256_lanes *state, int lane, __m128i *dcba, __m128i *hgfe)
{
    __m128i feba = _mm_shuffle_epi32(state->abef[lane], 0x1b);
    __m128i dchg = _mm_shuffle_epi32(state->cdgh[lane], 0xb1);
    *dcba = _mm_blend_epi16(feba, dchg, 0xf0);
    *hgfe = _mm_alignr_epi8(dchg, feba, 8);
}

V_INLINE void sha256_hotp(int lanes, const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    sha256_lanes state, outer;
    __m128i w[LANES][4];
    sha256_load(lanes, &state, mids, 0);
    sha256_load(lanes, &outer, mids, 8);
    EACH_LANE {
        w[lane][0] = _mm_shuffle_epi32(counter_words(moving[lane]), 0x1b);
        w[lane][1] = w[lane][2] = _mm_setzero_si128();
        w[lane][3] = _mm_set_epi32((64 + 8) * 8, 0, 0, 0);
    }
    sha256_compress(lanes, &state, w);
    EACH_LANE {
        sha256_words(&state, lane, &w[lane][0], &w[lane][1]);
        w[lane][2] = _mm_set_epi32(0, 0, 0, (int)0x80000000u);
        w[lane][3] = _mm_set_epi32((64 + 32) * 8, 0, 0, 0);
    }
    sha256_compress(lanes, &outer, w);
    EACH_LANE {
        uint32_t h[8];
        __m128i dcba, hgfe;
        sha256_words(&outer, lane, &dcba, &hgfe);
        _mm_storeu_si128((void *)h, dcba);
        _mm_storeu_si128((void *)(h + 4), hgfe);
        out[lane] = truncate_words32(h, h[7]);
    }
}

static void sha256_four(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    sha256_hotp(LANES, mids, moving, out);
}

static void sha256_one(const void *const *mids, const uint64_t *moving, uint32_t *out)
{
    sha256_hotp(1, mids, moving, out);
}

void ROW(ww_hotp_sha256_many)(const void *const *mids, const uint64_t *moving, uint32_t *out,
                              size_t n)
{
    size_t fours = n - n % LANES;
    hotp_many(sha256_four, LANES, mids, moving, out, fours);
    hotp_many(sha256_one, 1, mids + fours, moving + fours, out + fours, n - fours);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int ww_no_shani;
#endif
