/* Sixteen lanes of 32 bits, eight of 64, on AVX-512 (F alone). This file names the vector; the
 * rounds are in lanes/.
 *
 * Rotations are one instruction (vprold, vprolq), and so is any function of three words
 * (vpternlogd): a look at the compiler's output must find both. Sums of three stay operators: the
 * compiler finds their instruction too, and folds those whose words are constant.
 */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif
#include <immintrin.h>

#include "../internal.h"

#define ROW(name) name##_avx512

typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef uint64_t u64x8 __attribute__((vector_size(64)));

#define V512(a) ((__m512i)(a))
#define v_zip_low32(a, b) ((v_t)_mm512_unpacklo_epi32(V512(a), V512(b)))
#define v_zip_high32(a, b) ((v_t)_mm512_unpackhi_epi32(V512(a), V512(b)))
#define v_zip_low64(a, b) ((v_t)_mm512_unpacklo_epi64(V512(a), V512(b)))
#define v_zip_high64(a, b) ((v_t)_mm512_unpackhi_epi64(V512(a), V512(b)))
#define v_blocks(rows, first, step, byte) ((v_t)blocks((rows) + (first), step, byte))

static inline __attribute__((always_inline)) __m512i blocks(const void *const *rows, size_t step,
                                                            size_t byte)
{
    const uint8_t *at[4];
    for (size_t i = 0; i < 4; i++)
        at[i] = (const uint8_t *)rows[step * i] + byte;
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)at[0]));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)at[1]), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)at[2]), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)at[3]), 3);
}

#define LANES 16
#define V_BITS 32
#define v_t u32x16
#define v_set1(k) ((v_t)_mm512_set1_epi32((int)(k)))
#define v_rol(a, n) ((v_t)_mm512_rol_epi32(V512(a), n))
#define v_ror(a, n) ((v_t)_mm512_ror_epi32(V512(a), n))
#define v_choose(a, b, c) ((v_t)_mm512_ternarylogic_epi32(V512(a), V512(b), V512(c), 0xca))
#define v_major(a, b, c) ((v_t)_mm512_ternarylogic_epi32(V512(a), V512(b), V512(c), 0xe8))
#include "../lanes/ops.h"

#include "../lanes/columns.h"
#include "../lanes/many.h"

V_INLINE void v_counters(v_t *high, v_t *low, const uint64_t *moving)
{
    __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512i a = _mm512_loadu_si512(moving), b = _mm512_loadu_si512(moving + 8);
    *low = (v_t)_mm512_permutex2var_epi32(a, even, b);
    *high = (v_t)_mm512_permutex2var_epi32(a, odd, b);
}

#define v_columns v_columns32
#define v_store_low32(out, v) _mm512_storeu_si512(out, V512(v))
#include "../lanes/truncate.h"
#include "../lanes/sha1.h"
#include "../lanes/sha256.h"

#undef LANES
#undef V_BITS
#undef v_t
#undef v_set1
#undef v_rol
#undef v_ror
#undef v_columns
#undef v_store_low32
#define LANES 8
#define V_BITS 64
#define v_t u64x8
#define v_set1(k) ((v_t)_mm512_set1_epi64((long long)(k)))
#define v_rol(a, n) ((v_t)_mm512_rol_epi64(V512(a), n))
#define v_ror(a, n) ((v_t)_mm512_ror_epi64(V512(a), n))
#include "../lanes/columns.h"

#define v_columns v_columns64
#define v_counter(word, moving) (*(word) = (v_t)_mm512_loadu_si512(moving))
#define v_store_low32(out, v) _mm256_storeu_si256((void *)(out), _mm512_cvtepi64_epi32(V512(v)))
#include "../lanes/truncate.h"
#include "../lanes/sha512.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int ww_no_avx512;
#endif
